"""Training objectives, all to be minimised; they know tensors and nothing of data or models."""

import torch
from torch import Tensor
from torch.nn import functional

from xmlib import polar
from xmlib.cca import check_sizes
from xmlib.errors import InputError, check_number, check_rows


def trace_norm(h1: Tensor, h2: Tensor, ridge: float = 1e-3) -> Tensor:
    """Minus the mean canonical correlation of encoder outputs (n, d), n > d: Deep CCA (book, eq. trace-norm).

    Taken on the features before the head, (n, d1) and (n, d2); the mean is over the smaller width. The gradient is that
    of the nuclear norm, finite at coincident correlations. There is no second derivative.
    Released: −mean √clip(eig(TTᵀ + 1e-3·I), 1e-7, 1), which biases every correlation upwards.
    Raises `InputError` for n ≤ d, unequal lengths and a ridge below 0; on the CPU `DivergedError` for values that are
    not finite.
    """
    check_sizes(h1, h2)
    check_number("ridge", ridge, 1e-3)
    with polar.full_precision(h1):
        with torch.no_grad():
            batch = polar.batch_statistics(h1, h2, ridge)
        return -polar.TraceNorm.apply(h1, h2, batch)


def ranking_loss(x: Tensor, y: Tensor, margin: float = 0.5, both_ways: bool = False) -> Tensor:
    """Mean hinge over every mismatched pair in the batch (book, eq. ranking).

    `x`, `y`: unit-length embeddings, (n, d); row i of one belongs to row i of the other. x queries y.
    `both_ways`: y queries x as well, and the two means are added; in the released code for the learned head only.
    Raises `InputError` for a single pair, which has no mismatched one, for unequal shapes and for a margin that is no
    number above −2, where no pair would ever violate it.
    """
    check_rows("The ranking loss", x, y)
    check_number("margin", margin, 0.5, least=-2, above=True)
    if len(x) < 2:
        raise InputError(f"The ranking loss compares at least two pairs, but got {len(x)}: use a larger batch.")
    scores = x @ y.T  # (n, n), row = query
    loss = _hinge(scores, margin)
    return loss + _hinge(scores.T, margin) if both_ways else loss


def info_nce(x: Tensor, y: Tensor, temperature: float = 0.07) -> Tensor:
    """Cross-entropy of naming the right partner among the batch, mean of both directions (book, eq. info-nce).

    `x`, `y`: unit-length embeddings, (n, d). Each row is a softmax of cosines / `temperature` over n candidates.
    Not in the released code: van den Oord et al. (2018), in the symmetric form of Radford et al. (2021).
    Raises `InputError` for unequal shapes and for a temperature that is no number above 0; one that is learned may be a
    tensor, which is not looked at.
    """
    check_rows("InfoNCE", x, y)
    check_number("temperature", temperature, 0.07, above=True)
    logits = x @ y.T / temperature  # (n, n), row = query
    right = torch.arange(len(x), device=x.device)
    return (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2


def _hinge(scores: Tensor, margin: float) -> Tensor:
    n = len(scores)
    matched = scores.diagonal().unsqueeze(1)  # (n, 1)
    violations = (margin - matched + scores).clamp_min(0)  # (n, n)
    return (violations.sum() - violations.diagonal().sum()) / (n * (n - 1))
