"""Corrections of scores for hubness: candidates that a bank of queries finds too easily are scored down.

A correction is made of a bank of queries and the candidates, and maps the scores of some queries (q, n) to corrected
scores (q, n): `evaluate.standing(x, y, correct=csls(bank, y))`.

The bank is embeddings of *training* items of the query's modality. Test queries as the bank make the correction
transductive: every answer then depends on what else is asked. CSLS and the inverted softmax were proposed that way.

Corrected scores stay on the scale of the cosine, so that `evaluate.TIE` means the same: each correction is a number
taken off each candidate. What shifts all scores of a query alike changes no rank and is left out.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from xmlib import evaluate
from xmlib.errors import InputError
from xmlib.evaluate import TIE, Correction, score_chunks
from xmlib.scoring import intervals


def csls(bank: Tensor, candidates: Tensor, k: int = 10, chunk: int | None = None) -> Correction:
    """Cross-domain similarity local scaling (Conneau 2018): s minus half the mean of a candidate's k best in the bank.

    `bank`: training queries (m, d); `candidates`: (n, d); both of unit length. k = 10 is the original's, and all of a
    smaller bank is used. Half the original score, whose other term, the query's own k best, is the same in all its row.
    Classical CSLS takes the test queries themselves for the bank.
    """
    check_bank(bank)
    neighbours = min(k, len(bank))
    return _less(lambda scores: scores.topk(neighbours, dim=1).values.mean(1) / 2, bank, candidates, chunk)


def inverted_softmax(
    bank: Tensor, candidates: Tensor, temperature: float = 0.05, chunk: int | None = None
) -> Correction:
    """Inverted softmax (Smith 2017): a softmax over the queries of the bank in place of one over the candidates.

    Shapes as in `csls`. The original score is exp(s / temperature) divided by the sum of that over the bank; here its
    logarithm times the temperature, which ranks alike and does not underflow. The default is that of the released code
    of query-bank normalisation.
    """
    check_bank(bank)
    if not temperature > 0:
        raise InputError(f"The temperature of the inverted softmax must be above 0, but got {temperature}.")
    return _less(lambda s: temperature * torch.logsumexp(s / temperature, dim=1), bank, candidates, chunk)


def query_bank(bank: Tensor, candidates: Tensor, temperature: float = 0.05, chunk: int | None = None) -> Correction:
    """Query-bank normalisation, the dynamic inverted softmax (Bogolin 2022): only where the best candidate is a hub.

    Shapes as in `csls`. A candidate is an activated hub if it comes first for some query of the bank. A query whose
    first candidate is one gets the inverted softmax, any other keeps its cosines. All that tie for first place count.
    """
    softmax = inverted_softmax(bank, candidates, temperature, chunk)
    hub = torch.zeros(len(candidates), dtype=torch.bool, device=candidates.device)
    for _, scores in score_chunks(bank, candidates, chunk):
        hub |= _first(scores).any(0)
    return lambda scores: torch.where((_first(scores) & hub).any(1, keepdim=True), softmax(scores), scores)


def check_bank(bank: Tensor) -> None:
    """Raises `InputError` for a bank without queries."""
    if not len(bank):
        raise InputError("The bank holds no queries: give embeddings of training items of the query's modality.")


def _less(popularity: Callable[[Tensor], Tensor], bank: Tensor, candidates: Tensor, chunk: int | None) -> Correction:
    """Takes off each candidate what `popularity` makes of its scores with the bank, (q, m) → (q,)."""
    penalty = torch.cat([popularity(scores) for _, scores in score_chunks(candidates, bank, chunk)])  # (n,)
    return lambda scores: scores - penalty


def _first(scores: Tensor) -> Tensor:
    return scores >= scores.amax(1, keepdim=True) - TIE


CORRECTIONS: dict[str, Callable[[Tensor, Tensor], Correction]] = {
    "csls": partial(csls, k=10),
    "inverted_softmax": partial(inverted_softmax, temperature=0.05),
    "query_bank": partial(query_bank, temperature=0.05),
}


def corrected(x: Tensor, y: Tensor, bank1: Tensor, bank2: Tensor, groups=None, corrections=None) -> dict:
    """What a record keeps of every correction: name → direction → metrics.

    `x`, `y`: test embeddings (n, d); `bank1`, `bank2`: embeddings of training items of view 1 and of view 2.
    `corrected(x, y, x, y)` is the transductive variant, to be named so. `corrections`: default `CORRECTIONS`.
    The metrics are those of `evaluate.metrics_of` with `mrr_interval`, `hubness`, and `mrr_gain` over plain cosines
    with `mrr_gain_interval`; both intervals are bootstrapped over `groups` of queries. `ranks` and `ties` are those of
    every query, as in `evaluate.both_ways`.
    """
    result: dict = {name: {} for name in corrections or CORRECTIONS}
    for direction, (query, candidates, bank) in zip(evaluate.DIRECTIONS, ((x, y, bank1), (y, x, bank2)), strict=True):
        plain = evaluate.reciprocal_ranks(*evaluate.standing(query, candidates))
        for name, make in (corrections or CORRECTIONS).items():
            result[name][direction] = _scores(query, candidates, make(bank, candidates), plain, groups)
    return result


def _scores(query: Tensor, candidates: Tensor, correct: Correction, plain, groups) -> dict:
    better, tied, skewness = evaluate.standing_and_hubness(query, candidates, correct=correct)
    reciprocal = evaluate.reciprocal_ranks(better, tied)
    return evaluate.metrics_of(better, tied) | {
        "mrr_interval": list(evaluate.bootstrap_interval(reciprocal, groups)),
        "mrr_gain": float((reciprocal - plain).mean()),
        "mrr_gain_interval": list(intervals.paired_interval(reciprocal, plain, groups)),
        "hubness": skewness,
        **evaluate.kept_standing(better, tied),
    }
