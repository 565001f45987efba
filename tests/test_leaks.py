"""Nothing that is fitted or chosen has seen a test item: a mark in the test split changes nothing else."""

import numpy as np
import pytest
import torch

from xmlib import fit, methods, paths, profiles
from xmlib.data import image_text
from xmlib.data.image_text import Artwork, Items, Size
from xmlib.data.own import pairs
from xmlib.data.own.ready import ready
from xmlib.neighborhoods import study
from xmlib.retriever import training
from xmlib.scoring import baselines

N, MARK, WORD = 240, 1e4, "unicorn"
DRAW = np.random.default_rng(0)
SHARED = DRAW.normal(size=(N, 3))
VIEWS = [np.concatenate([SHARED, DRAW.normal(size=(N, 3))], axis=1).astype(np.float32) for _ in range(2)]
TEXTS = [
    f"a {'fox' if x > 0 else 'hare'} and {'owl' if y > 0 else 'frog'}, number {i}" for i, (x, y, _) in enumerate(SHARED)
]


def splits(marked):
    """Pairs of numbers in three splits; with the mark in every test item, or without."""
    parts = []
    for rows in (slice(0, 120), slice(120, 160), slice(160, N)):
        one, other = (view[rows] + (MARK if marked and rows.stop == N else 0) for view in VIEWS)
        parts.append(training.split_of(one, other, np.arange(N)[rows]))
    made = training.splits_of(parts[0], parts[1], 1)
    made.test = parts[2]
    return made


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)


@pytest.mark.parametrize("method", methods.IMAGE_METHODS)
def test_weights_epochs_and_the_best_one_do_not_depend_on_the_test_items(method):
    settings = profiles.settings("toy", "table", method, d=3, batch=30, epochs=3)
    done = []
    for marked in (False, True):
        model = methods.build(method, settings, 1, ((6,), (6,)))
        if methods.METHODS[method].linear:
            baselines.start(model, splits(marked))
        done.append(fit.fit(model, splits(marked), method, settings))
    plain, marked = ([{k: v for k, v in row.items() if k != "seconds"} for row in one.history] for one in done)
    assert plain == marked
    assert done[0].best["epoch"] == done[1].best["epoch"]
    for one, other in zip(*(task.model.state_dict().values() for task in done), strict=True):
        assert torch.equal(one, other)


def test_components_ridge_and_directions_of_linear_cca_do_not_depend_on_the_test_items():
    plain, marked = (baselines.linear_cca(splits(one)) for one in (False, True))
    for name in ("components", "ridge", "directions", "valid_mrr"):
        assert plain[name] == marked[name]
    assert plain["ranks"] != marked["ranks"]  # of the test items, which are others


def assembled(marked):
    """Pairs of pictures and texts as the built data sets have them, the mark in the test items alone."""
    rows = image_text.choose(items(TEXTS), Size(40, 40), "grouped", 1)
    said, features = list(TEXTS), VIEWS[0].copy()
    for i in rows["test"] if marked else []:
        said[i] = f"{said[i]} {WORD}"
        features[i] += MARK
    artwork = Artwork([str(i) for i in range(N)], features, np.zeros((N, 2, 2, 3), np.uint8), "a")
    return image_text.assemble(
        "emoji", "toy", 1, items(said), dict.fromkeys(("train", "valid", "test"), artwork), Size(40, 40),
        split="grouped", shuffled=False, settings={},
    )  # fmt: skip


def items(texts):
    return Items([str(i) for i in range(N)], texts, np.array(["x"] * N), np.arange(N))


def test_scales_vocabulary_and_word_weights_of_pictures_and_texts_do_not_depend_on_the_test_items():
    plain, marked = assembled(False), assembled(True)
    for name in ("train", "valid"):
        one, other = getattr(plain, name), getattr(marked, name)
        assert (one.ids, one.texts) == (other.ids, other.texts)
        for view in ("view1", "view2"):
            np.testing.assert_array_equal(getattr(one, view)[:], getattr(other, view)[:])
    assert np.abs(marked.test.view1[:]).max() > np.abs(plain.test.view1[:]).max()


def test_preparations_of_own_pairs_do_not_depend_on_the_test_items():
    made = []
    for marked in (False, True):
        rows, said = VIEWS[0].copy(), list(TEXTS)
        for i in range(200, N) if marked else []:
            rows[i] += MARK
            said[i] = f"{said[i]} {WORD}"
        found = pairs.read(rows, said, quiet=True)
        found.splits = ["train"] * 160 + ["valid"] * 40 + ["test"] * 40
        made.append([prepare.state() for prepare in ready(found).preparations])
    for (settings, arrays), (other, others) in zip(*made, strict=True):
        assert settings == other
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], others[name])


def test_words_vectors_and_neighbours_of_texts_do_not_depend_on_the_test_items():
    plain, marked = (study.text_space(assembled(one), 1, "exact", "skip", 10) for one in (False, True))
    np.testing.assert_array_equal(plain.word_vectors, marked.word_vectors)
    np.testing.assert_array_equal(plain.near.indices, marked.near.indices)
