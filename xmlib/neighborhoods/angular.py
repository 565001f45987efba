"""Angular N-pairs loss and the four terms of semantic neighbourhoods (code of Thomas and Kovashka, 2020)."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from xmlib.errors import InputError

TERMS = ("i2t", "sym", "img", "text")  # names in records and TensorBoard: L_i2t, L_sym, L_img, L_text


def angular_npairs(
    anchors: Tensor,
    positives: Tensor,
    negatives: Tensor | None = None,
    mask: Tensor | None = None,
    tan2: float = 1.0,
    released: bool = False,
) -> Tensor:
    """Mean over the anchors of log(1 + Σ exp(logit)), one logit a negative allowed (book, eq. angular).

    With anchor a, positive p and negative m the logit is 4 tan²α (a + p)·m − 2 (1 + tan²α) a·p.
    `anchors`, `positives`: unit-length embeddings, (n, d), paired by row. `negatives`: (m, d), shared by all anchors;
    None: the positives of the other anchors. `mask`: (n, m), true where a negative is allowed. `tan2`: tan²α.
    `released`: the value of the released code, log(1 + n Σ exp(logit)). There anchors are repeated n times and every
    negative n times, which only adds that n, at n² times the work.
    O(nmd) time and O(nm) memory. An anchor with no negative left costs nothing.
    """
    n = len(anchors)
    if negatives is None:
        others = ~torch.eye(n, dtype=torch.bool, device=anchors.device)
        negatives, mask = positives, others if mask is None else mask & others
    matched = (anchors * positives).sum(1, keepdim=True)  # (n, 1)
    logits = 4 * tan2 * (anchors + positives) @ negatives.T - 2 * (1 + tan2) * matched  # (n, m)
    if released:
        logits = logits + math.log(n)
    if mask is not None:
        logits = logits.masked_fill(~mask, -math.inf)
    # the 1 in the logarithm is a logit of 0: then nothing overflows, and a row without negatives has a gradient
    return torch.cat([torch.zeros_like(matched), logits], dim=1).logsumexp(1).mean()


@dataclass(frozen=True)
class Groups:
    """Group numbers (whole numbers) of what is in a batch: a negative must not share one with anchor or positive.

    Where nothing else is known, every pair is a group of its own. `pairs`, `neighbours`: (n,); `sampled`: (m,).
    """

    pairs: Tensor
    neighbours: Tensor
    sampled: Tensor


def neighborhood_terms(
    x: Tensor,
    y: Tensor,
    neighbour_x: Tensor,
    neighbour_y: Tensor,
    sampled_y: Tensor,
    groups: Groups | None = None,
    tan2: float = 1.0,
    released: bool = False,
) -> dict[str, Tensor]:
    """The four terms `i2t`, `sym`, `img`, `text`, before their weights (book, table of the terms).

    `x`, `y`: unit-length embeddings of the images and texts of a batch, (n, d). `neighbour_x`, `neighbour_y`: those of
    one neighbour of each pair, (n, d). `sampled_y`: those of m texts sampled from the training set, (m, d); m = n
    in the released code.
    `groups`: what may not be a negative. Only the intended form looks at it: it bars the anchor's group everywhere, and
    the neighbour's where the neighbour is the positive.
    Raises `InputError` for the intended form without groups.
    """
    i2t = sym = img = text = None
    if not released:
        i2t, sym, img, text = _masks(groups)
    loss = partial(angular_npairs, tan2=tan2, released=released)
    return {
        "i2t": loss(x, y, sampled_y, i2t),
        "sym": loss(y, x, x, sym),
        "img": loss(x, neighbour_x, x, img),
        "text": loss(y, neighbour_y, sampled_y, text),
    }


def _masks(groups: Groups | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Which negatives each term allows, four masks (n, m or n)."""
    if groups is None:
        raise InputError("The intended terms need groups, to keep a positive from being its own negative: give Groups.")
    own, neighbours = groups.pairs[:, None], groups.neighbours[:, None]
    other_texts, other_images = own != groups.sampled, own != groups.pairs
    far_images, far_texts = neighbours != groups.pairs, neighbours != groups.sampled
    return other_texts, other_images, other_images & far_images, other_texts & far_texts


def total(terms: dict[str, Tensor], sym: float = 1.0, img: float = 0.3, text: float = 0.2) -> Tensor:
    """L_i2t + sym·L_sym + img·L_img + text·L_text; the default weights are those of the released readme."""
    return terms["i2t"] + sym * terms["sym"] + img * terms["img"] + text * terms["text"]
