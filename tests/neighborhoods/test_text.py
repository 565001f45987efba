"""Texts as facts: what cleaning leaves, and vectors that no process, order or hash seed changes."""

import os
import subprocess
import sys

import gensim.models.doc2vec
import numpy as np
import pytest

from xmlib.errors import InputError
from xmlib.neighborhoods import text

SEA = ["boat", "sail", "anchor", "harbour", "wave", "tide", "sailor", "captain", "mast", "deck"]
SKY = ["cloud", "star", "moon", "comet", "planet", "rocket", "orbit", "galaxy", "meteor", "telescope"]


def corpus(n=120, seed=0):
    """Texts of 8 words on the sea (even) and the sky (odd)."""
    rng = np.random.default_rng(seed)
    return [list(rng.choice(SKY if i % 2 else SEA, size=8)) for i in range(n)]


@pytest.fixture(scope="module")
def model():
    return text.doc2vec(corpus(), vector_size=20)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("One ends. Two ends! Three?", ["One ends.", "Two ends!", "Three?"]),
        ("Dr. Who met Mr. Jones at 3 p.m. sharp. They left.", ["Dr. Who met Mr. Jones at 3 p.m. sharp.", "They left."]),
        ("J. S. Bach lived in the U.S. Senate. Not so.", ["J. S. Bach lived in the U.S. Senate.", "Not so."]),
        ("It costs 3.50... or more. “Really?” she said.", ["It costs 3.50... or more.", "“Really?” she said."]),
        ('He said "Go." Then he went.', ['He said "Go."', "Then he went."]),
        ("no stop at all", ["no stop at all"]),
        ("  ", []),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_ends_them(raw, expected):
    assert text.sentences(raw) == expected


def test_cleaning_leaves_the_telling_words_of_two_sentences():
    raw = "<p class='a. b'>The CAFÉ’s 12 red-hot ovens: it's on fire!</p> Über 300 naïve guests ran. A third sentence."
    assert text.words(raw) == ["cafe", "red", "hot", "ovens", "uber", "300", "naive", "guests", "ran"]
    assert text.words(raw, limit=1) == ["cafe", "red", "hot", "ovens"]
    assert text.words(raw, limit=0)[-1] == "sentence"
    assert text.words("日本語 of the 12") == []


def test_texts_empty_after_cleaning_are_counted_and_named():
    texts = ["a red boat", "of the", "…", "the moon"]
    with pytest.raises(InputError, match="2 of 4 texts hold no word after cleaning, first p1, p2: leave"):
        text.cleaned(texts, ids=["p0", "p1", "p2", "p3"])
    with pytest.raises(InputError, match="first 1, 2: leave"):
        text.cleaned(texts)
    assert text.cleaned([texts[0], texts[3]]) == [["red", "boat"], ["moon"]]


def test_texts_that_are_all_the_same_are_refused():
    with pytest.raises(InputError, match="All 3 texts are the same after cleaning"):
        text.doc2vec([["red", "boat"]] * 3)


def test_a_set_without_one_frequent_word_is_refused():
    with pytest.raises(InputError, match="No word is seen 2 times in 2 texts"):
        text.doc2vec([["red", "boat"], ["blue", "moon"]])


def test_the_settings_of_large_sets_are_the_papers():
    assert text.default_settings(1_000_000) == dict(vector_size=200, window=20, min_count=20, epochs=20)
    assert text.default_settings(100_000) == dict(vector_size=200, window=20, min_count=20, epochs=50)


def test_min_count_falls_with_the_set_to_two():
    counts = [text.default_settings(n)["min_count"] for n in (10_000, 5_000, 1_400, 500, 3)]
    assert counts == [20, 10, 2, 2, 2]


def share_of_nearest_on_the_same_subject(vectors):
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = directions @ directions.T
    np.fill_diagonal(scores, -1)
    return (scores.argmax(1) % 2 == np.arange(len(vectors)) % 2).mean()


def test_texts_on_one_subject_are_near_each_other(model):
    assert share_of_nearest_on_the_same_subject(text.infer(model, corpus(seed=1))) > 0.95  # new texts of both kinds


def test_another_process_with_another_hash_seed_gives_the_same_vectors(model, tmp_path):
    code = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1]); from test_text import corpus, text; "
        "model = text.doc2vec(corpus(), vector_size=20); "
        "np.savez(sys.argv[2], words=model.wv.vectors, texts=text.infer(model, corpus()))"
    )
    arguments = [os.path.dirname(__file__), str(tmp_path / "there.npz")]
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    subprocess.run([sys.executable, "-c", code, *arguments], env=environment, check=True)
    with np.load(tmp_path / "there.npz") as there:
        np.testing.assert_array_equal(there["words"], model.wv.vectors)
        np.testing.assert_array_equal(there["texts"], text.infer(model, corpus()))


def test_a_texts_vector_depends_on_its_words_and_the_seed_alone(model):
    documents = corpus()
    vectors = text.infer(model, documents)
    np.testing.assert_array_equal(text.infer(model, documents[::-1]), vectors[::-1])
    np.testing.assert_array_equal(text.infer(model, [documents[3], documents[3]]), vectors[[3, 3]])
    assert not np.array_equal(text.infer(model, documents, seed=2), vectors)


def test_inference_is_gensims_from_a_start_of_our_own(model, monkeypatch):
    document, seed = corpus()[0], 1
    own = [seed, text.stable_hash(" ".join(document))]
    start = ((np.random.default_rng(own).random(20) - 0.5) / 20).astype(np.float32)
    monkeypatch.setattr(gensim.models.doc2vec, "pseudorandom_weak_vector", lambda *_, **__: start.copy())
    monkeypatch.setattr(model, "random", np.random.RandomState(own))
    np.testing.assert_allclose(
        text.infer(model, [document], seed)[0], model.infer_vector(document), rtol=1e-4, atol=1e-6
    )


def test_texts_without_a_known_word_are_told_apart(model):
    assert text.known(model, [["boat", "xylophone"], ["xylophone"], []]).tolist() == [True, False, False]


def test_several_workers_learn_the_same_words_and_as_much():
    several = text.doc2vec(corpus(), workers=2, vector_size=20)
    assert set(several.wv.index_to_key) == set(SEA + SKY)
    assert share_of_nearest_on_the_same_subject(text.infer(several, corpus(seed=1))) > 0.9
