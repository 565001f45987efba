"""The numbers behind each claim of book/asked.md, from records."""

from collections.abc import Callable, Sequence

from book.make.results.evidence_heads import layer_or_loss, scarcity
from book.make.results.evidence_terms import complementary, kept_near, terms
from book.make.results.evidence_training import by_heart, curves, order, sizes
from book.make.results.findings import Finding
from book.show import summaries


def finding(name: str, found: Sequence[dict]) -> Finding:
    """What stands of the claim `name` in these records."""
    return FINDINGS[name](summaries.one_linear_cca(found))


def without_runs(what: str) -> Callable[[Sequence[dict]], Finding]:
    """Nothing, for a claim whose experiment has no record."""
    return lambda found: Finding(lacks=[what])


FINDINGS: dict[str, Callable[[Sequence[dict]], Finding]] = {
    "A1": order,
    "A2": by_heart,
    "A3": curves,
    "A4": scarcity,
    "A5": layer_or_loss,
    "A6": sizes,
    "A7": without_runs("the released file `iapr.npz`"),
    "B1": terms,
    "B2": kept_near,
    "B3": complementary,
    "B4": without_runs("the data of the paper"),
}
