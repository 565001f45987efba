"""A retriever from pairs to answers: what it learns, keeps, finds and refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from PIL import Image
from scipy import sparse

from xmlib import evaluate
from xmlib.data import preparation
from xmlib.data.pictures.preparation import Images
from xmlib.errors import InputError
from xmlib.methods import METHODS
from xmlib.retriever import Retriever, moments, training
from xmlib.scoring import baselines

FORWARD, BACKWARD = evaluate.DIRECTIONS
WORDS = {"red": 0, "green": 1, "blue": 2, "fox": 3, "house": 4, "river": 5, "small": 6, "old": 7}


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("xmlib.paths.RUNS", tmp_path / "runs")


def views(n=300, noise=0.3, seed=0, widths=(12, 7)):
    random = np.random.default_rng(seed)
    maps = np.random.default_rng(99)
    z = random.normal(size=(n, 5))
    return tuple(z @ maps.normal(size=(5, w)) + noise * random.normal(size=(n, w)) for w in widths)


def texts_and_numbers(n=200, seed=0):
    random = np.random.default_rng(seed)
    chosen = [random.choice(list(WORDS), 3, replace=False) for _ in range(n)]
    rows = np.zeros((n, len(WORDS)))
    for row, words in zip(rows, chosen, strict=True):
        row[[WORDS[word] for word in words]] = 1
    return rows + 0.1 * random.normal(size=rows.shape), [f"A {a} {b}, {c}." for a, b, c in chosen]


@pytest.fixture(scope="module")
def trained():
    return Retriever.train(*views(), method="ccal_cont", epochs=12, lr=0.01)


@pytest.fixture(scope="module")
def of_texts(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xmlib.paths.RUNS", tmp_path_factory.mktemp("runs"))
        return Retriever.train(*texts_and_numbers(), method="linear_cca")


@pytest.mark.parametrize("form", [pandas.DataFrame, torch.from_numpy, np.ndarray.tolist, sparse.csr_matrix])
def test_pairs_come_in_any_form(form):
    made = Retriever.train(*map(form, views()), method="linear_cca")
    expected = Retriever.train(*views(), method="linear_cca")
    np.testing.assert_allclose(made.embed1(form(views()[0])), expected.embed1(views()[0]), atol=2e-5)


def test_every_method_finds_new_pairs_far_better_than_chance():
    new = views(100, seed=1)
    chance = evaluate.chance_metrics(100)["mrr"]
    for method in training.METHODS:
        trained_with = {} if method == "linear_cca" else {"epochs": 12, "lr": 0.01}
        found = Retriever.train(*views(), method=method, **trained_with).evaluate(*new)
        assert min(scores["mrr"] for scores in found.values()) > 4 * chance, method


def test_methods_are_those_of_the_table_but_for_neighbourhoods():
    assert {*training.METHODS} == {name for name, row in METHODS.items() if not row.neighborhoods} | {"linear_cca"}


def test_linear_cca_is_the_one_that_the_book_compares_with():
    splits = Retriever.train(*views(), method="linear_cca").about
    view1, view2 = views()
    held = training.divide(np.arange(300), 0.1, 1)
    prepared = [preparation.Numbers().fit(view[~held]) for view in (view1, view2)]
    parts = [
        training.split_of(*(p.transform(v[rows]) for p, v in zip(prepared, (view1, view2), strict=True)), np.arange(n))
        for rows, n in ((~held, 270), (held, 30))
    ]
    expected = baselines.linear_cca(training.splits_of(*parts, seed=1))
    model, _, _ = training.linear_cca(training.splits_of(*parts, seed=1))
    x, y = model(torch.from_numpy(parts[1].view1[:]), torch.from_numpy(parts[1].view2[:]))
    assert splits["valid_mrr"] == expected["valid_mrr"] == pytest.approx(evaluate.mrr(x, y), abs=1e-9)


def test_the_same_seed_trains_the_same_model(trained):
    again = Retriever.train(*views(), method="ccal_cont", epochs=12, lr=0.01)
    np.testing.assert_array_equal(again.embed1(views()[0]), trained.embed1(views()[0]))


def test_groups_stay_together_and_about_the_share_is_held_out():
    groups = np.arange(300) // 7
    held = training.divide(groups, 0.2, seed=3)
    assert len(set(groups[held]) & set(groups[~held])) == 0
    assert 0.15 < held.mean() <= 0.2


def test_a_data_set_trains_as_its_views_do():
    view1, view2 = (v.astype(np.float32) for v in views())
    parts = [training.split_of(view1[rows], view2[rows], np.arange(150)) for rows in (slice(150), slice(150, 300))]
    made = Retriever.train(training.splits_of(*parts, seed=1), epochs=3, d=4)
    assert [p.kind for p in made.preparations] == ["prepared", "prepared"]
    assert made.embed1(view1[:3]).shape == (3, 4)


def test_settings_follow_the_number_of_pairs_and_their_directions():
    def chosen(n, width=200):
        view = np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)
        split = training.split_of(view, view, np.arange(n))
        return training.suited("ccal_cont", training.splits_of(split, split, 1))

    assert (chosen(40).d, chosen(40).batch) == (10, 40)
    assert (chosen(1000).d, chosen(1000).batch) == (64, 300)
    assert (chosen(training.LARGE).d, chosen(training.LARGE).batch) == (128, 1000)
    assert chosen(1000, width=9).d == 9


def test_epochs_are_reported_and_training_can_be_halted():
    rows = []
    made = Retriever.train(*views(), epochs=50, on_epoch=rows.append, halt=lambda: len(rows) == 4)
    assert [row["epoch"] for row in rows] == [row["epoch"] for row in made.about["history"]] == [1, 2, 3, 4]
    assert made.about["stopped"] == "halted"
    assert made.about["valid_mrr"] == max(row["valid_mrr"] for row in rows)


def test_items_of_one_view_are_embedded_alone_as_in_pairs(trained):
    one, two = views(20, seed=4)
    model, (p, q) = trained.model, trained.preparations
    x, y = model(torch.from_numpy(p.transform(one)), torch.from_numpy(q.transform(two)))
    np.testing.assert_allclose(trained.embed1(one), x.detach(), atol=1e-6)
    np.testing.assert_allclose(trained.embed2(two[3]), y.detach()[3:4], atol=1e-6)
    np.testing.assert_array_equal(trained.embed1(one.tolist()), trained.embed1(one))


def test_a_long_view_is_embedded_in_chunks_to_the_same_numbers(trained, monkeypatch):
    one = views(50, seed=4)[0]
    whole = trained.embed1(one)
    monkeypatch.setattr("xmlib.retriever.retriever.CHUNK", 7)
    np.testing.assert_allclose(trained.embed1(one), whole, atol=1e-6)
    one[22, 0] = np.nan
    with pytest.raises(InputError, match="Items from 21 on: .* item 1"):
        trained.embed1(one)


def test_a_raw_text_finds_its_numbers_and_back(of_texts):
    rows, texts = texts_and_numbers(50, seed=5)
    of_texts.index(BACKWARD, rows, [f"row {i}" for i in range(50)])
    of_texts.index(FORWARD, texts)
    ids, scores = of_texts.search(texts[7], 3, BACKWARD)
    same = [i for i, text in enumerate(texts) if set(preparation.tokens(text)) == set(preparation.tokens(texts[7]))]
    assert ids[0] in [f"row {i}" for i in same]
    assert scores[0] == scores.max() > 0.8
    assert set(of_texts.search(rows[7], len(same))[0]) == set(same)
    assert of_texts.search(texts[:4], 3, BACKWARD)[0].shape == (4, 3)


def test_features_of_a_preparation_are_taken_as_they_are(of_texts):
    _, texts = texts_and_numbers(5, seed=6)
    features = of_texts.preparations[1].transform(texts)
    assert sparse.issparse(features)
    np.testing.assert_array_equal(of_texts.embed2(features), of_texts.embed2(texts))
    np.testing.assert_array_equal(of_texts.embed2(features.toarray()), of_texts.embed2(texts))


FRESH = """
import sys, json
from xmlib.retriever import Retriever
model = Retriever.load(sys.argv[1])
ids, scores = model.search(sys.argv[2], 10, sys.argv[3])
print(json.dumps([ids.tolist(), scores.tolist()]))
"""


def test_another_process_loads_the_folder_and_gives_the_same_ten(of_texts, tmp_path):
    rows, texts = texts_and_numbers(50, seed=5)
    of_texts.index(BACKWARD, rows)
    folder = of_texts.save(tmp_path / "model")
    command = [sys.executable, "-c", FRESH, str(folder), texts[7], BACKWARD]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ids, scores = json.loads(done.stdout)
    expected = of_texts.search(texts[7], 10, BACKWARD)
    assert ids == expected[0].tolist()
    assert scores == expected[1].tolist()


@pytest.mark.parametrize("method", training.METHODS)
def test_a_loaded_retriever_embeds_alike_and_keeps_what_is_known(method, tmp_path):
    made = Retriever.train(*views(), method=method, epochs=2)
    again = Retriever.load(made.save(tmp_path / "model"))
    for one, other in zip(views(30, seed=7), (("embed1",), ("embed2",)), strict=True):
        np.testing.assert_array_equal(getattr(again, other[0])(one), getattr(made, other[0])(one))
    assert (again.method, again.settings, again.about) == (made.method, made.settings, made.about)


def test_no_file_of_a_model_is_a_pickle(trained, tmp_path):
    trained.index(FORWARD, views()[1])
    names = {path.suffix for path in trained.save(tmp_path / "model").rglob("*") if path.is_file()}
    assert names == {".json", ".safetensors"}


def test_the_folder_of_an_index_is_no_model(trained, tmp_path):
    trained.index(FORWARD, views()[1]).save(tmp_path / "index")
    with pytest.raises(InputError, match="a retriever was wanted"):
        Retriever.load(tmp_path / "index")


@pytest.mark.parametrize("method", ["ccal_cont", "learned_cont", "linear_cca"])
def test_refit_in_chunks_is_the_heads_own_refit(method, monkeypatch):
    made = Retriever.train(*views(), method=method, epochs=3)
    new = views(500, seed=8)
    h1, h2 = (torch.cat(side) for side in zip(*made._encoded([new]), strict=True))
    made.model.head.refit(h1, h2)
    expected = made.embed1(new[0])
    monkeypatch.setattr("xmlib.retriever.retriever.CHUNK", 64)
    made.model.head.refit(h1[:100], h2[:100])
    assert np.abs(made.embed1(new[0]) - expected).max() > 1e-3
    assert made.refit((part1, part2) for part1, part2 in [(v[:200] for v in new), (v[200:] for v in new)]) == 500
    np.testing.assert_allclose(made.embed1(new[0]), expected, atol=2e-5)


def test_moments_do_not_cancel_however_far_the_mean_is():
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(1000, 5, generator=random, dtype=torch.float64) + 1e7
    total = moments.Moments(3, 2)
    for chunk in rows.split(130):
        total.add(chunk[:, :3], chunk[:, 3:])
    sxx, syy, sxy = total.covariances(0.5)
    expected = torch.cov(rows.T) + 0.5 * torch.eye(5)
    torch.testing.assert_close(sxx, expected[:3, :3], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(syy, expected[3:, 3:], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(sxy, expected[:3, 3:], rtol=1e-6, atol=1e-6)


def test_refit_reads_a_file_in_chunks(trained, tmp_path):
    for name, view in zip(("one", "two"), views(3000, seed=9), strict=True):
        np.save(tmp_path / f"{name}.npy", view)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("one", "two")]
    sizes = [len(h1) for h1, _ in trained._encoded([tuple(mapped)])]
    assert sum(sizes) == 3000
    assert max(sizes) == preparation.CHUNK


def test_refit_drops_indexes_of_the_old_head(trained):
    trained.index(FORWARD, views()[1])
    trained.refit(*views(seed=3))
    with pytest.raises(InputError, match="no index to search"):
        trained.search(views()[0][0])


def test_evaluation_is_the_books():
    made = Retriever.train(*views(), method="linear_cca")
    new = views(80, seed=1)
    x, y = torch.from_numpy(made.embed1(new[0])), torch.from_numpy(made.embed2(new[1]))
    assert made.evaluate(*new)[FORWARD]["mrr"] == evaluate.mrr(x, y)
    assert made.evaluate(*new)[BACKWARD]["mrr"] == evaluate.mrr(y, x)


def test_image_files_are_found_by_their_texts(tmp_path):
    random, colours = np.random.default_rng(0), ("black", "grey", "white")
    chosen = random.integers(0, 3, size=60)
    for number, colour in enumerate(chosen):
        grey = np.clip(127 * colour + random.integers(-9, 9, size=(16, 16)), 0, 255).astype(np.uint8)
        Image.fromarray(grey).convert("RGB").save(tmp_path / f"{number}.png")
    files, texts = [tmp_path / f"{i}.png" for i in range(60)], [f"{colours[i]} square" for i in chosen]
    made = Retriever.train(files, texts, preparations=(Images(16), None), batch=20, epochs=4, d=2, curve_n=5)
    made.index(BACKWARD, files[:50], [file.name for file in files[:50]])
    made = Retriever.load(made.save(tmp_path / "model"))
    found = made.search("something white", 5, BACKWARD)[0]
    assert {chosen[int(name.split(".")[0])] for name in found} == {2}
    made.index(FORWARD, texts)
    assert texts[made.search(files[55], 1)[0][0]] == texts[55]


BAD = views(20)


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((BAD[0], BAD[1][:19]), {}, "20 and 19 items"),
        ((BAD[0][:1], BAD[1][:1]), {}, "There are 1 pairs"),
        ((np.ones((20, 3)), BAD[1]), {}, "rows of a view are equal"),
        ((["a b"] * 20, BAD[1]), {}, "texts of a view are equal"),
        ((np.where(BAD[0] > 2, np.nan, BAD[0]), BAD[1]), {}, "NaN"),
        ((["a"] + [1.0] * 19, BAD[1]), {}, "not a text"),
        ((BAD), {"d": 8}, "d = 8 is more than the 7 features"),
        ((BAD), {"d": 8, "method": "linear_cca"}, "d = 8 is more than the 7 directions"),
        ((BAD), {"method": "neighborhoods"}, "no method"),
        ((BAD), {"ridgee": 1}, "no setting 'ridgee'"),
        ((BAD), {"lr": 1, "method": "linear_cca"}, "linear_cca has no settings but d"),
        ((BAD), {"groups": np.zeros(20)}, "one group"),
        ((BAD), {"groups": np.zeros(19)}, "19 groups"),
        ((BAD), {"validation": 1.5}, "no share"),
        ((BAD), {"batch": 100}, "fewer than one batch"),
        ((BAD), {"halt": lambda: True}, "before its first epoch"),
    ],
)
def test_pairs_that_cannot_be_trained_on_are_refused_in_one_sentence(arguments, options, said):
    with pytest.raises(InputError, match=said):
        Retriever.train(*arguments, **options)


@pytest.mark.parametrize(
    ("query", "options", "said"),
    [
        ("a red fox", {"direction": "sideways"}, "no direction"),
        ("a red fox", {"k": 51}, "k = 51 items were asked for of 50"),
        ("a zebra", {}, "no word that training has seen"),
        (np.zeros(3), {}, r"shape \(10,\)|shape \(8,\)|shape \(9,\)"),
        ([], {}, "no query"),
        ([None], {}, "not a text"),
        ("a red fox", {"direction": FORWARD}, "no index|something else"),
    ],
)
def test_queries_that_do_not_fit_are_refused_in_one_sentence(of_texts, query, options, said):
    of_texts.indexes.clear()
    of_texts.index(BACKWARD, texts_and_numbers(50)[0])
    with pytest.raises(InputError, match=said):
        of_texts.search(query, **{"direction": BACKWARD} | options)


@pytest.mark.parametrize(
    ("query", "said"), [(np.zeros(9), "8 numbers an item"), (np.full(8, np.inf), "NaN"), ("a fox", "something else")]
)
def test_a_row_of_another_width_or_with_nan_is_refused(of_texts, query, said):
    of_texts.index(FORWARD, texts_and_numbers(50)[1])
    with pytest.raises(InputError, match=said):
        of_texts.search(query)


def test_a_folder_of_the_first_format_is_read_by_every_later_version():
    folder = (
        Path(__file__).parent / "format1"
    )  # saved once: linear CCA of `texts_and_numbers()`, d = 3, 20 rows indexed
    made = Retriever.load(folder)
    assert [prepare.kind for prepare in made.preparations] == ["numbers", "texts"]
    expected = json.loads((folder.parent / "format1_expected.json").read_text())
    ids, scores = made.search("a red fox", 3, BACKWARD)
    assert ids.tolist() == expected["ids"]
    np.testing.assert_allclose(scores, expected["scores"], atol=1e-5)
    np.testing.assert_allclose(made.embed1(np.arange(8.0)), expected["row"], atol=1e-5)
