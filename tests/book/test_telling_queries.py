"""The queries that a notebook shows: one of each kind, and none twice."""

import pytest

from book.show.curves import telling_queries


@pytest.mark.parametrize(
    ("ranks", "shown"),
    [
        ([1, 1, 3, 9, 7, 20], ([1, 2, 3, 5], [1, 3, 9, 20])),  # found, nearly, the median of the failures, the worst
        ([1, 3, 9], ([0, 1, 2], [1, 3, 9])),  # a single failure is the worst too
        ([2, 2, 2], ([1], [2])),
    ],
)
def test_a_query_of_each_kind_is_shown_and_none_twice(ranks, shown):
    assert telling_queries(ranks) == shown
