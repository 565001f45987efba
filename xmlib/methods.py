"""The table of methods. Nothing below this module knows a method by its name."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from xmlib.cca import CCALayer
from xmlib.encoders import ConvEncoder, linear_encoder, mlp_encoder
from xmlib.errors import InputError
from xmlib.model import LinearHead, TwoView, UnitHead
from xmlib.objectives import info_nce, ranking_loss, trace_norm
from xmlib.profiles import SMALL_NEIGHBORHOODS, Settings, choose

Shapes = tuple[tuple[int, ...], tuple[int, ...]]  # of one item in each view


@dataclass(frozen=True)
class Term:
    """One summand of the objective: `loss(first, second)` on the embeddings, or on the features before the head."""

    loss: Callable
    weight: float = 1.0
    on: str = "embeddings"


@dataclass(frozen=True)
class Method:
    """A head and the terms of its objective, both made from the settings."""

    title: str
    color: str  # in every figure; these are Okabe and Ito's, safe for colour-blind readers
    head: Callable[[Settings], nn.Module]
    terms: Callable[[Settings], list[Term]]
    does: str
    neighborhoods: bool = False  # trained by `xmlib.neighborhoods.training`, which brings the terms
    linear: bool = False  # both encoders are linear maps, and training starts where linear CCA ends
    small: Mapping[str, Any] = field(default_factory=dict)  # settings of its own on the small sets, see `profiles`


def _cca_head(s: Settings) -> nn.Module:
    return CCALayer(s.d, ridge=s.ridge, alpha=s.alpha, k=s.k or s.d)


def _ranking(s: Settings, both_ways: bool, weight: float = 1.0) -> Term:
    both_ways = both_ways if s.both_ways is None else s.both_ways
    return Term(partial(ranking_loss, margin=s.margin, both_ways=both_ways), weight)


def _trace_norm_terms(s: Settings) -> list[Term]:
    terms = [Term(partial(trace_norm, ridge=s.ridge), s.weight_tno, on="features")]
    return terms if s.weight_tno == 1 else terms + [_ranking(s, both_ways=False, weight=1 - s.weight_tno)]


def _info_nce(s: Settings) -> list[Term]:
    return [Term(partial(info_nce, temperature=s.temperature))]


METHODS = {
    "ccal_tno": Method(
        title="CCA layer, trace norm",
        color="#0072B2",
        head=_cca_head,
        terms=_trace_norm_terms,
        does="Deep CCA: the encoders maximise the mean canonical correlation of their outputs.",
    ),
    "learned_cont": Method(
        title="Learned map, ranking loss",
        color="#E69F00",
        head=lambda s: LinearHead(s.d),
        terms=lambda s: [_ranking(s, both_ways=True)],
        does="A freely learned linear map per view, trained with the pairwise ranking loss in both directions.",
        small=dict(dropout=0.5),
    ),
    "ccal_cont": Method(
        title="CCA layer, ranking loss",
        color="#D55E00",
        head=_cca_head,
        terms=lambda s: [_ranking(s, both_ways=False)],
        does="The CCA layer, trained through with the pairwise ranking loss: the papers' proposal.",
    ),
    "learned_nce": Method(
        title="Learned map, InfoNCE",
        color="#CC79A7",
        head=lambda s: LinearHead(s.d),
        terms=_info_nce,
        does="A freely learned linear map per view, trained to name the right partner among the batch.",
        small=dict(dropout=0.5),
    ),
    "ccal_nce": Method(
        title="CCA layer, InfoNCE",
        color="#56B4E9",
        head=_cca_head,
        terms=_info_nce,
        does="The CCA layer, trained through to name the right partner among the batch.",
    ),
    "linear_nce": Method(
        title="Linear maps from CCA, InfoNCE",
        color="#000000",
        head=lambda s: UnitHead(),
        terms=_info_nce,
        does="One linear map per view, which starts at linear CCA and is trained on to name the right partner.",
        linear=True,
        # no head to refit; it starts near its end, and further refinements gained less than 0.001 of validation MRR
        small=dict(d=256, dropout=0.5, lr=3e-4, l2=0.01, refit_n=1, refinements=1),
    ),
    "neighborhoods": Method(
        title="Semantic neighbourhoods",
        color="#009E73",
        head=lambda s: UnitHead(),
        terms=lambda s: [],
        does="Angular N-pairs loss, with terms that keep pairs near whose texts are alike.",
        neighborhoods=True,
        small=SMALL_NEIGHBORHOODS,
    ),
    "ccal_neighborhoods": Method(
        title="CCA layer, semantic neighbourhoods",
        color="#F0E442",
        head=_cca_head,
        terms=lambda s: [],
        does="The same terms on top of the CCA layer.",
        neighborhoods=True,
        small=SMALL_NEIGHBORHOODS,
    ),
}
NEIGHBORHOODS = tuple(name for name, row in METHODS.items() if row.neighborhoods)
PAPER = ("ccal_tno", "learned_cont", "ccal_cont")  # the three methods of Dorfer et al. (2018)
IMAGE_METHODS = tuple(name for name, row in METHODS.items() if not row.neighborhoods)  # for pictures and words
AUDIO_METHODS = tuple(name for name in IMAGE_METHODS if not METHODS[name].linear)


def build(method: str, s: Settings, seed: int, shapes: Shapes = ((1, 40, 50), (1, 92, 42))) -> TwoView:
    """The untrained model of a method for items of these shapes; the same seed gives the same encoders with any head.

    Pictures (1, h, w) get the convolutional encoder. Of feature vectors, the first view gets a linear encoder and the
    second one with two hidden layers, as released. With a linear method both encoders are linear.
    """
    row = METHODS[choose("method", method, METHODS)]
    head = row.head
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if row.linear:
            one, other = (linear_encoder(math.prod(shape), s.d, s.dropout) for shape in shapes)
            return TwoView(nn.Sequential(nn.Flatten(), one), nn.Sequential(nn.Flatten(), other), head(s))
        one, other = shapes
        encoder1 = _pictures(s) if len(one) == 3 else linear_encoder(one[0], s.d, s.dropout)
        encoder2 = _pictures(s) if len(other) == 3 else mlp_encoder(other[0], s.d, s.width, s.dropout)
        return TwoView(encoder1, encoder2, head(s))


def _pictures(s: Settings) -> ConvEncoder:
    return ConvEncoder(s.d, s.width, bfloat16=s.precision == "bfloat16")


def device(name: str, precision: str = "float32") -> torch.device:
    """The device of that name: `cpu`, `cuda`, or `auto` for CUDA where there is some; set to repeat its numbers.

    `precision`: of convolutions, see `Settings`. Raises `InputError` for CUDA, or the precision `tf32`, without a GPU.
    """
    choose("device", name, ("auto", "cpu", "cuda"))
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device = 'cuda', but PyTorch sees no CUDA device here: choose 'cpu' or 'auto'.")
    found = torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
    if precision == "tf32" and found.type == "cpu":
        raise InputError("precision = 'tf32' is of CUDA devices, and this run uses none: choose 'float32'.")
    torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32 = True, precision == "tf32"
    return found
