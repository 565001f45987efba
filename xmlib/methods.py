"""The table of methods. Nothing below this module knows a method by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from xmlib.cca import CCALayer
from xmlib.encoders import ConvEncoder
from xmlib.errors import InputError
from xmlib.model import LinearHead, TwoView
from xmlib.objectives import ranking_loss, trace_norm
from xmlib.profiles import Settings, choose


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
    head: Callable[[Settings], nn.Module]
    terms: Callable[[Settings], list[Term]]
    does: str


def _cca_head(s: Settings) -> nn.Module:
    return CCALayer(s.d, ridge=s.ridge, alpha=s.alpha, k=s.k or s.d)


def _ranking(s: Settings, both_ways: bool, weight: float = 1.0) -> Term:
    both_ways = both_ways if s.both_ways is None else s.both_ways
    return Term(partial(ranking_loss, margin=s.margin, both_ways=both_ways), weight)


def _trace_norm_terms(s: Settings) -> list[Term]:
    terms = [Term(partial(trace_norm, ridge=s.ridge), s.weight_tno, on="features")]
    return terms if s.weight_tno == 1 else terms + [_ranking(s, both_ways=False, weight=1 - s.weight_tno)]


METHODS = {
    "ccal_tno": Method(
        title="CCA layer, trace norm",
        head=_cca_head,
        terms=_trace_norm_terms,
        does="Deep CCA: the encoders maximise the mean canonical correlation of their outputs.",
    ),
    "learned_cont": Method(
        title="Learned map, ranking loss",
        head=lambda s: LinearHead(s.d),
        terms=lambda s: [_ranking(s, both_ways=True)],
        does="A freely learned linear map per view, trained with the pairwise ranking loss in both directions.",
    ),
    "ccal_cont": Method(
        title="CCA layer, ranking loss",
        head=_cca_head,
        terms=lambda s: [_ranking(s, both_ways=False)],
        does="The CCA layer, trained through with the pairwise ranking loss: the papers' proposal.",
    ),
}


def build(method: str, s: Settings, seed: int) -> TwoView:
    """The untrained model of a method: the same seed gives the same encoders, whatever the head."""
    head = METHODS[choose("method", method, METHODS)].head
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoders = ConvEncoder(s.d, s.width), ConvEncoder(s.d, s.width)
        return TwoView(*encoders, head(s))


def device(name: str) -> torch.device:
    """The device of that name: `cpu`, `cuda`, or `auto` for CUDA where there is some."""
    choose("device", name, ("auto", "cpu", "cuda"))
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device = 'cuda', but PyTorch sees no CUDA device here: choose 'cpu' or 'auto'.")
    torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32 = True, False  # same numbers, full precision
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
