"""Facts about pairs of one's own made ready for training."""

import numpy as np
import pytest
from scipy import sparse

from xmlib.data.own import pairs
from xmlib.data.own.ready import groups_of, ready
from xmlib.errors import InputError

N = 40


def made(texts=None, **columns):
    draw = np.random.default_rng(0)
    found = pairs.read(draw.normal(size=(N, 6)), texts or draw.normal(size=(N, 4)), quiet=True)
    for name, values in columns.items():
        setattr(found, name, values)
    return found


def test_whole_groups_lie_in_one_split():
    found = ready(made(groups=[f"g{i // 4}" for i in range(N)]))
    sides = [set(split.groups) for split in (found.splits.train, found.splits.valid, found.splits.test)]
    assert sum(map(len, sides)) == len(set.union(*sides))
    assert [len(rows) for rows in found.rows.values()] == [28, 4, 8]


def test_a_given_split_stays_and_only_its_rows_teach_the_preparation():
    found = ready(made(splits=["train"] * 30 + ["test"] * 4 + ["valid"] * 6))
    items = found.pairs.view1.items
    np.testing.assert_allclose(found.preparations[0].mean, items[:30].mean(0), rtol=1e-5)
    np.testing.assert_array_equal(found.splits.test.view1[:], found.preparations[0].transform(items[30:34]))
    assert found.splits.test.ids == ["row 31", "row 32", "row 33", "row 34"]


def test_a_group_in_two_given_splits_is_refused():
    with pytest.raises(InputError, match="1 groups of related pairs lie in more than one given split"):
        ready(made(splits=["train"] * 30 + ["test"] * 10, groups=[""] * 29 + ["g"] * 2 + [""] * 9))


def test_equal_texts_are_tied_but_labels_are_not():
    said = [f"a fox, number {i % 30}" for i in range(N)]
    assert len(set(groups_of(made(said)))) == 30
    labels = [f"class {i % 3}" for i in range(N)]
    assert len(set(groups_of(made(labels)))) == N


def test_equal_rows_of_numbers_are_tied():
    found = made()
    found.view1.items[7] = found.view1.items[3]
    groups = groups_of(found)
    assert groups[7] == groups[3]
    assert len(set(groups)) == N - 1


def test_sparse_rows_are_divided_tied_and_scaled_as_they_are_and_stay_sparse():
    draw = np.random.default_rng(0)
    rows = sparse.random(N, 30, 0.2, format="csr", random_state=0)
    rows = sparse.vstack([rows[:-1], rows[3]])
    whole = pairs.read(rows, draw.normal(size=(N, 4)), quiet=True)
    found, dense = ready(whole), ready(pairs.read(rows.toarray(), whole.view2.items, quiet=True))
    assert groups_of(whole)[N - 1] == groups_of(whole)[3]
    assert found.splits.test.ids == dense.splits.test.ids
    assert sparse.issparse(found.preparations[0].transform(rows))
    scaled = rows[found.rows["test"]].toarray() / dense.preparations[0].scale
    np.testing.assert_allclose(found.splits.test.view1[:], scaled, rtol=1e-5)


def test_tf_idf_stays_sparse_and_knows_training_words_alone():
    said = [f"a fox, number {i}" for i in range(N)]
    found = ready(made(said, splits=["train"] * 30 + ["test"] * 5 + ["valid"] * 5))
    vocabulary = found.preparations[1].state()[0]["vocabulary"]
    assert set(vocabulary) - {"a"} == {"fox", "number"}
    assert found.splits.test.view2[0].shape == (len(vocabulary),)
    assert found.splits.test.texts[0] == "a fox, number 30"


def test_labels_of_some_pairs_alone_are_no_classes():
    assert ready(made(labels=["x", "y"] * (N // 2))).splits.test.labels is not None
    assert ready(made(labels=["x", ""] * (N // 2))).splits.test.labels is None


def test_the_same_pairs_and_seed_give_the_same_split_and_digest():
    one, again, other = ready(made()), ready(made()), ready(made(), seed=2)
    assert one.splits.digest == again.splits.digest != other.splits.digest
    assert one.splits.test.ids == again.splits.test.ids != other.splits.test.ids
