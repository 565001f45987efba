"""Every number of a run, and the table of profiles that set them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from xmlib import data
from xmlib.errors import MOST, InputError, check_number


@dataclass(frozen=True)
class Settings:
    """Every number of a run. The defaults are those of the released audio–score models."""

    d: int = 32  # embedding size
    width: float = 1.0  # of the encoders; scales the released 24/48/96/96 filters or 1024 hidden units, in steps of 8
    batch: int = 100
    precision: str = "float32"  # of the convolutions; tf32 (a GPU's) or bfloat16 for speed, which move numbers a little
    margin: float = 0.5  # of the ranking loss
    temperature: float = 0.07  # of InfoNCE; not released, Radford et al. start there
    both_ways: bool | None = None  # ranking in both directions; None: as the method does by default
    ridge: float = 1e-3  # of the CCA layer and of the trace norm
    alpha: float = 1.0  # weight of the newest batch in the running statistics of the CCA layer
    k: int = 0  # canonical directions kept; 0: all d
    weight_tno: float = 1.0  # of the trace norm in ccal_tno; the rest goes to the ranking loss
    lr: float = 2e-3
    l2: float = 1e-5  # λ of λ·Σw² over all trainables, added to the loss
    dropout: float = 0.0  # share of picture features and of words left out in training; not in the released code
    augment: float = 0.0  # strength of the changes of training pairs (data/audio_score/augment.py); 1: the authors'
    patience: int = 30  # epochs without a validation MRR as good as the best
    refinements: int = 3  # times that the best state is reloaded and training goes on more slowly
    refine_patience: int = 10
    lr_factor: float = 0.5  # by which each refinement lowers the rate
    epochs: int = 1000  # limit over all phases
    warmup: float = 0.0  # share of `epochs`, the first ones, in which the rate of an annealed run rises linearly
    anneal: float = 0.0  # share of `epochs`, the last ones, in which it falls linearly to 0, step by step
    refit_n: int = 0  # training pairs that the head is refitted on after an epoch; 0: all (released: |valid|)
    plateau: int = 5  # with neighbourhoods: epochs without a lower validation loss before the rate is lowered
    sym: float = 1.0  # weight of the term in which texts query images; this and the next as in the released readme
    img: float = 0.3  # of the term that keeps neighbours' images near
    text: float = 0.2  # of the term that keeps neighbours' texts near
    released: bool = False  # the released terms with their defects
    curve_n: int = 5000  # at most so many validation pairs, and as many training pairs, for the curves


AUDIO_SCORE: dict[str, dict[str, Any]] = {
    "toy": dict(width=1 / 12, epochs=3, batch=40),  # seconds; for the tests
    # Half the width: 8/24/48/48 filters. Refitted on 1,000 pairs after an epoch, as released, and on all in the end.
    # Minutes: from twice the released rate, which falls to 0 in the second half.
    "quick": dict(width=1 / 2, epochs=14, lr=4e-3, anneal=0.5, refit_n=1000, curve_n=500),
    # From twice the released rate, which falls to 0 in the second half. The CCA layer averages its statistics over
    # some batches (α), which are noisy alone: on 4,000 pairs that gave a better validation MRR. Chosen on validation
    # pairs, by the trials in book/records/trials.json and the variants `batch_200`.
    "medium": dict(width=1 / 2, lr=4e-3, alpha=0.15, epochs=30, warmup=0.05, anneal=0.5, refit_n=1000),
    "full": dict(),  # the released networks and schedule
}
RELEASED_IAPR: dict[str, Any] = dict(d=128, batch=1000, lr=1e-3, l2=1e-4, patience=15, lr_factor=0.1)
# Of about 1,000 training pairs a batch of 1,000 would be all, and 128 of its correlations mostly noise. With the
# released λ every method knows the training pairs by heart. λ was chosen on the validation pairs of emoji, by a few
# trials with one seed, mostly of the trace norm; they left no records. Where a method
# gained from other settings, these are in its row of `METHODS`.
SMALL = RELEASED_IAPR | dict(d=64, batch=300, width=1 / 4, l2=0.03)

# To save time: what more refinements add to validation MRR is in the book, on the page of pictures and words.
QUICK: dict[str, Any] = dict(refinements=1)

# Thomas and Kovashka's code trains with these on hundreds of thousands of pairs. On 1,000 to 2,000 the embedding and
# the GRU are smaller, the batch and the rate larger, and half of the picture features are dropped. Chosen
# on the validation pairs of emoji, by a few trials with one seed.
RELEASED_NEIGHBORHOODS: dict[str, Any] = dict(d=256, batch=32, lr=1e-4, l2=5e-6, patience=10, lr_factor=0.1)
SMALL_NEIGHBORHOODS = RELEASED_NEIGHBORHOODS | dict(d=64, width=1 / 4, lr=3e-3, batch=64, dropout=0.5)
SMALL_TFIDF: dict[str, Any] = dict(lr=1e-3, l2=1e-3)  # with the other text encoder, chosen in the same way

PROFILES = ("toy", "quick", "medium", "full")
PRECISIONS = ("float32", "tf32", "bfloat16")
PARAMETERS = ("epochs", "width", "batch", "d", "precision", "augment")  # settings that a notebook has as parameters
SHARES = ("alpha", "dropout", "weight_tno", "warmup", "anneal")  # settings of at most 1
TERMS = ("sym", "img", "text", "released", "text_encoder")  # and what the notebook neighborhoods has besides
OF_DATASET: dict[str, dict[str, dict[str, Any]]] = {
    "audio_score": AUDIO_SCORE,
    "iapr": {
        **dict.fromkeys(PROFILES, RELEASED_IAPR),
        "toy": RELEASED_IAPR | dict(d=32, batch=100, width=1 / 4, epochs=3),  # of 500 training pairs
    },
}
TOY: dict[str, Any] = dict(d=8, batch=20, epochs=3, width=1 / 32)  # on the data sets that are in no table


def choose(kind: str, name: str, table) -> str:
    """`name` if the table has it; raises `InputError` with the choices if not."""
    if not isinstance(name, str) or name not in table:
        raise InputError(f"There is no {kind} {name!r}; choose one of {', '.join(table)}.")
    return name


def check_changes(changes: Mapping[str, Any]) -> None:
    """Raises `InputError` for a setting that is not there, a value of another type, no finite one, and one below 0."""
    for name, value in changes.items():
        usual = getattr(Settings(), choose("setting", name, Settings.__dataclass_fields__))
        if not isinstance(usual, bool | str | None):
            check_number(name, value, usual, most=1 if name in SHARES else MOST)
        elif not isinstance(value, str if isinstance(usual, str) else bool | None):
            raise InputError(f"{name} = {value!r:.40} is of another type: give a value like the usual one, {usual!r}.")


def settings(
    profile: str, dataset: str = "audio_score", method: str = "", epochs: int = 0, width: float = 0, batch: int = 0,
    d: int = 0, augment: float = -1, text_encoder: str = "words", **changes,
) -> Settings:  # fmt: skip
    """The settings of a data set's profile, with the given ones changed.

    `epochs`, `width`, `batch`, `d` of 0 and `augment` of -1 keep the profile's own. On the small sets some methods have
    settings of their own, in their row of `METHODS`; so has the `text_encoder` `tfidf` with neighbourhoods.
    Raises `InputError` for a profile, data set, method, precision or setting that is not there, a value of another
    type, a negative number, a share above 1, and a batch not larger than d.
    """
    from xmlib.methods import METHODS, NEIGHBORHOODS  # which needs this module

    given = dict(epochs=epochs, width=width, batch=batch, d=d)
    check_changes(given | changes | ({} if augment == -1 else dict(augment=augment)))
    choose("data set", dataset, data.DATASETS)
    if method:
        choose("method", method, METHODS)
    base = replace(Settings(), **_own(choose("profile", profile, PROFILES), dataset, method, text_encoder))
    asked: dict[str, Any] = {name: value for name, value in given.items() if value}
    if augment >= 0:
        asked["augment"] = float(augment)
    result = replace(base, **asked, **changes)
    choose("precision", result.precision, PRECISIONS)
    at_once = result.batch * (3 if method in NEIGHBORHOODS else 1)  # a neighbour and a sampled pair with each
    if at_once <= result.d and method != "neighborhoods":  # which has no CCA layer
        raise InputError(
            f"A batch of {at_once} pairs is too small for d = {result.d} dimensions, since CCA needs more pairs "
            f"than dimensions: choose a batch of at least {result.d + 1}, or a smaller d."
        )
    return result


def _own(profile: str, dataset: str, method: str, text_encoder: str) -> dict[str, Any]:
    """The settings in which a data set's profile differs from the defaults."""
    from xmlib.methods import METHODS, NEIGHBORHOODS

    if dataset in OF_DATASET:
        return OF_DATASET[dataset][profile]
    small = SMALL | dict(METHODS[method].small if method else {})
    if method in NEIGHBORHOODS and text_encoder == "tfidf":
        small |= SMALL_TFIDF
    if data.DATASETS[dataset].large and method in NEIGHBORHOODS:
        small |= RELEASED_NEIGHBORHOODS | dict(width=1.0, dropout=0.0)
    return small | {"toy": TOY, "quick": QUICK}.get(profile, {})
