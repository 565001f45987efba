"""Preparations of views: what is learned from training items, what is kept, and what is refused."""

import json

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from xmlib.data import preparation
from xmlib.data.preparation import Numbers, Prepared, Texts
from xmlib.errors import InputError

TEXTS = ["a red fox runs", "the red house", "a fox in the house", "blue house, red door", "Ein Füchslein, rot"]


def kept(prepared):
    """What comes back of a preparation after its state went through JSON."""
    settings, arrays = prepared.state()
    return preparation.of_kind(prepared.kind).from_state(json.loads(json.dumps(settings)), arrays)


def rows(n=3000, features=5):
    return np.random.default_rng(0).normal(3, 2, (n, features))


def test_numbers_are_standardised_as_scikit_learn_does_over_several_chunks():
    x = rows()
    assert len(x) > preparation.CHUNK
    np.testing.assert_allclose(Numbers().fit(x).transform(x), StandardScaler().fit_transform(x), atol=1e-5)


def test_new_numbers_are_scaled_by_the_training_items():
    x = rows()
    np.testing.assert_allclose(Numbers().fit(x).transform(x[:1]), Numbers().fit(x).transform(x)[:1])


def test_sparse_numbers_stay_sparse_and_are_only_scaled():
    x = sparse.random(2000, 6, 0.3, format="csr", random_state=0)
    scaled = Numbers().fit(x).transform(x)
    assert sparse.issparse(scaled)
    np.testing.assert_allclose(scaled.toarray(), StandardScaler(with_mean=False).fit_transform(x).toarray(), rtol=1e-5)


def test_a_constant_column_becomes_zero_and_its_rounding_is_not_scaled_up():
    x = rows(50)
    x[:, 2] = 1e6 + np.random.default_rng(1).normal(size=50) * 1e-6
    assert not Numbers().fit(x).transform(x)[:, 2].any()


@pytest.mark.parametrize("fitted_on", [np.asarray, sparse.csr_matrix])
def test_an_item_is_prepared_alike_whether_it_is_sparse_or_dense(fitted_on):
    x = sparse.random(200, 6, 0.3, format="csr", random_state=0)
    for prepare in (Numbers().fit(fitted_on(x.toarray())), kept(Numbers().fit(fitted_on(x.toarray())))):
        dense, other = prepare.transform(x.toarray()), prepare.transform(x)
        np.testing.assert_allclose(other.toarray() if sparse.issparse(other) else other, dense, rtol=1e-5, atol=1e-6)
        assert sparse.issparse(other) == (fitted_on is sparse.csr_matrix)


@pytest.mark.parametrize("as_sparse", [False, True])
def test_an_item_with_nan_is_named_by_its_number(as_sparse):
    x = rows()
    x[2222, 3] = np.nan
    with pytest.raises(InputError, match="first in item 2222"):
        Numbers().fit(sparse.csr_matrix(x) if as_sparse else x)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (np.ones((5, 2)), "All 5 rows"),
        (np.ones((1, 2)), "1 items"),
        (["one", "two"], "something else"),
        (np.zeros((4, 2, 2)), "one row of numbers"),
        ("text", "put it into a list"),
        (np.float64(3), "put it into a list"),
    ],
)
def test_what_is_no_view_of_numbers_is_refused(items, said):
    with pytest.raises(InputError, match=said):
        Numbers().fit(items)


def test_a_view_of_another_width_is_refused():
    with pytest.raises(InputError, match=r"5 numbers an item, but got items of shape \(4,\)"):
        Numbers().fit(rows()).transform(rows(features=4))


def test_texts_get_the_tf_idf_weights_of_scikit_learn():
    ours = Texts().fit(TEXTS)
    theirs = TfidfVectorizer(analyzer=preparation.tokens, min_df=2).fit(TEXTS)
    assert ours.vocabulary == ["fox", "house", "red"]
    new = [*TEXTS, "red red fox", "unseen"]
    np.testing.assert_allclose(ours.transform(new).toarray(), theirs.transform(new).toarray(), rtol=1e-6)


def test_words_of_every_script_are_found():
    assert preparation.tokens("Übung, ПРИВЕТ हिन्दी 猫犬 don't") == ["übung", "привет", "हिन्दी", "猫", "犬", "don", "t"]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["one", None, "two"], "Item 1"),
        (["same", "same"], "equal"),
        (["one", "two"], "No word"),
        (np.ones((3, 2)), "rows of numbers"),
    ],
)
def test_what_is_no_view_of_texts_is_refused(items, said):
    with pytest.raises(InputError, match=said):
        Texts().fit(items)


@pytest.mark.parametrize(("prepare", "items"), [(Numbers, rows()), (Texts, TEXTS), (Prepared, np.ones((3, 2, 4)))])
def test_a_preparation_is_the_same_after_its_state_was_kept(prepare, items):
    fitted = prepare().fit(items)
    again, expected = kept(fitted).transform(items), fitted.transform(items)
    assert kept(fitted).shape == fitted.shape == expected.shape[1:]
    assert (again != expected).sum() == 0


def test_the_kind_of_items_is_told_by_the_first():
    assert preparation.for_items(TEXTS).kind == preparation.for_items(np.array(TEXTS)).kind == "texts"
    assert preparation.for_items(rows()).kind == preparation.for_items(sparse.eye(3).tocsr()).kind == "numbers"


def test_texts_that_differ_in_rare_words_alone_are_refused():
    with pytest.raises(
        InputError, match=r"All 6 training texts .* equal in the words that at least 2 of them use \(same\)"
    ):
        Texts().fit([f"the same {other}" for other in ("fox", "house", "door", "tree", "sea", "star")])
