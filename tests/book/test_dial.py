"""What the page says of the terms for neighbours where picture and text say different things."""

import numpy as np
import pytest
from made_up import record

from book.make.results import claims, dial, evidence_terms
from xmlib import evaluate


def run(share, seed, quality, terms="", dataset="openclipart"):
    variant = "-".join(filter(None, [f"complementary_{share}" if share else "", terms]))
    made = record("neighborhoods", "full", seed, quality, dataset=dataset, variant=variant)
    for way in evaluate.DIRECTIONS:
        made["metrics"][way]["map"] = quality / 10
    return made


def made_up(gains):
    return [
        run(share, seed, 1.0 + gain * (terms == ""), terms)
        for share, gain in gains.items()
        for seed in (1, 2, 3)
        for terms in ("", "sym")
    ]


def test_the_gain_at_each_share_is_that_of_all_terms_over_the_symmetric_one():
    (points,) = dial.dialled(made_up({0.0: 0.0, 0.5: 1.0})).values()
    assert [point.share for point in points] == [0.0, 0.5]
    assert points[0].gain.value == 0
    assert dial.over_seeds(points[1].of_seeds["mAP"]).value == pytest.approx(0.1)
    means = [
        np.mean([r["metrics"][way]["mrr"] for r in (run(0.5, s, q) for s in (1, 2, 3)) for way in evaluate.DIRECTIONS])
        for q in (2.0, 1.0)
    ]
    assert points[1].gain.value == pytest.approx(means[0] - means[1], abs=1e-4)


def test_growth_compares_the_largest_share_that_is_well_above_chance_with_none():
    (points,) = dial.dialled(made_up({0.0: 0.0, 0.25: 0.5, 0.5: 1.0})).values()
    share, seeds, grown = dial.growth(points, "MRR")
    assert (share, seeds) == (0.5, 3)
    assert grown.value == pytest.approx(points[2].gain.value - points[0].gain.value)
    near_chance = [point._replace(mrr=point.chance) if point.share == 0.5 else point for point in points]
    assert dial.growth(near_chance, "MRR")[0] == 0.25


def test_without_complementary_pairs_the_page_says_what_makes_them():
    assert "`make dial`" in dial.fragments(made_up({0.0: 0.0}))["dial.md"]
    assert "MRR at 50 %" in dial.fragments(made_up({0.0: 0.0, 0.5: 1.0}))["dial.md"]


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ({0.0: 0.0, 0.5: 3.0}, claims.REPRODUCED),
        ({0.0: 3.0, 0.5: 3.0}, claims.PARTLY),
        ({0.0: 0.0, 0.5: 0.0}, claims.NOT),
    ],
)
def test_the_claim_is_reproduced_where_the_gain_grows_and_partly_where_there_is_one(gains, verdict):
    assert evidence_terms.complementary(made_up(gains)).outcome == verdict
