"""Bad arguments of what people import: CCA, objectives, metrics, indexes, retrievers, data sets, records."""

import json
import os

import numpy as np
import pytest
import torch
from bad_inputs import Bad, named, stops
from torch.nn.functional import normalize

from xmlib import cca, data, evaluate, methods, objectives, paths, profiles
from xmlib.data import download
from xmlib.data.own.sounds import Sounds
from xmlib.data.pictures.preparation import Images
from xmlib.data.preparation import Texts, of_kind
from xmlib.retriever import Retriever, SearchIndex
from xmlib.runs import records
from xmlib.scoring import hubness

DRAW = np.random.default_rng(0)
NAN = torch.full((9, 3), torch.nan)


def noise(*shape):
    return torch.from_numpy(DRAW.normal(size=shape))


def unit(*shape):
    return normalize(noise(*shape).float(), dim=1)


def rows(n, d):
    return DRAW.normal(size=(n, d))


def train(view1=rows(30, 3), view2=rows(30, 3), **options):  # noqa: B008  the same for all
    return lambda: Retriever.train(view1, view2, **options)


SETTINGS = profiles.settings("toy", "table", "ccal_cont", d=2, batch=20)
MATHEMATICS = [
    Bad("CCA of too few pairs", lambda: cca.cca(noise(3, 5), noise(3, 5)), "CCA needs more pairs than dimensions"),
    Bad("CCA of unequal views", lambda: cca.cca(noise(30, 5), noise(29, 5)), "30 and 29 rows; CCA needs them in pairs"),
    Bad("CCA of whole numbers", lambda: cca.cca(noise(9, 2).long(), noise(9, 2).long()), "needs floating-point ones"),
    Bad("no directions", lambda: cca.CCALayer(4, k=0), "k = 0 directions cannot be kept"),
    Bad("too many directions", lambda: cca.CCALayer((4, 3), k=4), "k = 4 directions cannot be kept of d = 3"),
    Bad("no weight of a batch", lambda: cca.CCALayer(4, alpha=0), "alpha is the weight of the newest batch"),
    Bad("a weight that is NaN", lambda: cca.CCALayer(4, alpha=float("nan")), "alpha is the weight"),
    Bad("a layer of no width", lambda: cca.CCALayer(0), "k = 0 directions cannot be kept of d = 0"),
    Bad("features of another width", lambda: cca.CCALayer(4)(noise(9, 5), noise(9, 5)), r"made for widths \(4, 4\)"),
    Bad("a batch as small as d", lambda: cca.CCALayer(4)(noise(4, 4), noise(4, 4)), "CCA needs more pairs"),
    Bad("a layer without projections", lambda: cca.CCALayer(4).eval()(noise(9, 4), noise(9, 4)), "no projections yet"),
    Bad("a refit of too few", lambda: cca.CCALayer(4).refit(noise(4, 4), noise(4, 4)), "CCA needs more pairs"),
    Bad("the ranking loss of one pair", lambda: objectives.ranking_loss(unit(1, 3), unit(1, 3)), "at least two pairs"),
    Bad("the trace norm of few", lambda: objectives.trace_norm(noise(3, 5), noise(3, 5)), "CCA needs more pairs"),
    Bad("the trace norm of unequal views", lambda: objectives.trace_norm(noise(9, 2), noise(8, 2)), "9 and 8 rows"),
    Bad("scores of unequal numbers", lambda: evaluate.both_ways(unit(4, 3), unit(5, 3)),
        "as many queries as candidates"),
    Bad("scores of nothing", lambda: evaluate.both_ways(unit(0, 3), unit(0, 3)), "and at least one, got 0 and 0"),
    Bad("rows that are not scaled", lambda: evaluate.both_ways(3 * unit(4, 3), unit(4, 3)),
        "4 of 4 queries are not of unit"),
    Bad("embeddings of NaN", lambda: evaluate.both_ways(NAN, NAN), "hold NaN or infinite values"),
    Bad("embeddings of 0", lambda: evaluate.mrr(0 * unit(4, 3), unit(4, 3)),
        "not of unit length, first row 0 of length 0"),
    Bad("hubs of NaN", lambda: hubness.csls(NAN, NAN), "hold NaN or infinite values"),
    Bad("a method that is none", lambda: methods.build("cca", SETTINGS, 1), "no method 'cca'; choose one of"),
    Bad("a profile that is none", lambda: profiles.settings("fast"), "no profile 'fast'; choose one of toy"),
    Bad("a data set that is none", lambda: profiles.settings("toy", "mnist"), "no data set 'mnist'; choose"),
    Bad("a negative rate", lambda: profiles.settings("toy", lr=-1), "lr = -1 is negative"),
    Bad("a device that is none", lambda: methods.device("tpu"), "no device 'tpu'; choose one of auto"),
]  # fmt: skip
TRAINING = [
    Bad("views of unequal lengths", train(view2=rows(29, 3)), "The views have 30 and 29 items"),
    Bad("one view", train(view2=None), "is a sequence of items, but got one NoneType"),
    Bad("a number as a view", train(5, 6), "is a sequence of items, but got one int"),
    Bad("a text as a view", train("fox", "owl"), "is a sequence of items, but got one str"),
    Bad("an unknown method", train(method="cca"), "no method 'cca'; choose one of ccal_tno"),
    Bad("a setting that is none", train(rate=1), "no setting 'rate'; choose one of d, width"),
    Bad("a setting of linear CCA", train(method="linear_cca", lr=1), "linear_cca has no settings but d"),
    Bad("a rate that is a text", train(lr="fast"), "The setting lr is 'fast': give a value like the usual one"),
    Bad("a rate that is NaN", train(lr=float("nan")), "The setting lr is nan"),
    Bad("patience of half an epoch", train(patience=2.5), "The setting patience is 2.5"),
    Bad("a rate that explodes", train(lr=1e30, epochs=3), "first epoch gave a loss that is not a number: lower lr"),
    Bad("no temperature", train(method="linear_nce", temperature=0.0, epochs=2), "a loss that is not a number"),
    Bad("NaN in a view", train(rows(30, 3) * np.nan), "holds NaN or infinite values, first in item 0"),
    Bad("too few pairs", train(rows(3, 3), rows(3, 3)), "There are 3 pairs, and training needs 4"),
    Bad("d above the features", train(d=50), "d = 50 is more than the 3 features"),
    Bad("a negative d", train(d=-1), "negative"),
    Bad("half a dimension", train(d=1.5), "d = 1.5 is not a whole number"),
    Bad("a batch of no number", train(batch="x"), "batch = 'x'"),
    Bad("a batch above the pairs", train(batch=500), "27 training pairs, fewer than one batch of 500"),
    Bad("epochs of no number", train(epochs="many"), "epochs = 'many' is not a whole number"),
    Bad("a negative seed", train(seed=-1), "seed = -1 is not a whole number"),
    Bad("a seed of letters", train(seed="a"), "seed = 'a'"),
    Bad("a device from elsewhere", train(device="tpu"), "no device 'tpu'"),
    Bad("a share above 1", train(validation=2), "validation = 2 is no share"),
    Bad("no share", train(validation=0), "is no share"),
    Bad("a share of letters", train(validation="some"), "validation = 'some' is no share"),
    Bad("unequal validation", train(validation=(rows(3, 3), rows(4, 3))), "The views have 3 and 4 items"),
    Bad("one group for 30 pairs", train(groups=[1]), "There are 30 pairs, but 1 groups"),
    Bad("all in one group", train(groups=[1] * 30), "All pairs are of one group"),
    Bad("a constant view", train(np.ones((30, 3))), "rows of a view are equal"),
    Bad("points alone", train(["..."] * 30), "texts of a view"),
    Bad("pictures as rows", train(DRAW.normal(size=(30, 3, 2))), r"got items of shape \(3, 2\)"),
    Bad("dictionaries", train([{}] * 30), "holds something else among the items"),
]  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return Retriever.train(rows(60, 3), rows(60, 4), method="linear_cca")


@pytest.fixture(scope="module")
def reader():
    said = [f"a fox, number {i} {'red' if i % 2 else 'blue'}" for i in range(60)]
    found = Retriever.train(said, rows(60, 4), method="linear_cca")
    found.index("view1_to_view2", rows(3, 4))
    return found


SEARCHING = {
    "items of another width": (lambda m: m.embed1(rows(3, 4)), "has 3 numbers an item, but got"),
    "items of NaN": (lambda m: m.embed1(np.full((2, 3), np.nan)), "holds NaN or infinite values"),
    "a text for numbers": (lambda m: m.embed1("fox"), "holds something else among the items"),
    "no items": (lambda m: m.embed1(None), "is a sequence of items"),
    "rows of two lengths": (lambda m: m.embed1([[1, 2, 3], [1]]), "holds something else among the items"),
    "items beyond float32": (lambda m: m.embed1(rows(2, 3) * 1e300), "too large for float32"),
    "a search without an index": (lambda m: m.search(rows(1, 3)), "There is no index to search"),
    "a direction that is none": (lambda m: m.search(rows(1, 3), 1, "up"), "no direction 'up'; choose one of"),
    "an index of another width": (lambda m: m.index("view1_to_view2", rows(3, 9)), "has 4 numbers an item"),
    "an id for three": (lambda m: m.index("view1_to_view2", rows(3, 4), [1]), "was given 1 ids for embeddings"),
    "tests of unequal lengths": (lambda m: m.evaluate(rows(3, 3), rows(4, 4)), "The views have 3 and 4 items"),
    "tests of nothing": (lambda m: m.evaluate(rows(0, 3), rows(0, 4)), "at least one, got 0 and 0"),
    "a group for five": (lambda m: m.evaluate(rows(5, 3), rows(5, 4), groups=[1]), "5 pairs, but 1 groups"),
    "a third view shared": (
        lambda m: m.evaluate(rows(5, 3), rows(5, 4), shared=(3, [1] * 5)),
        "shared is a view, 1 or 2",
    ),
    "a shared name too few": (lambda m: m.evaluate(rows(5, 3), rows(5, 4), shared=(1, [1] * 4)), "shared is a view"),
    "a refit of three": (lambda m: m.refit(rows(3, 3), rows(3, 4)), "CCA needs more pairs"),
    "a refit of nothing": (lambda m: m.refit([]), "no pairs to estimate the head from"),
    "a device as a folder": (lambda m: m.save("/dev/null"), "holds something else than a saved model"),
    "a folder in a device": (lambda m: m.save("/dev/null/x"), "No model can be written to"),
    "a folder with a zero in it": (lambda m: m.save("a\0b"), "No model can be written to|cannot be"),
    "a folder with a name too long": (lambda m: m.save("x" * 300), "No model can be written to"),
}
INDEXES = [
    Bad("items that are not scaled", lambda: SearchIndex(3 * unit(4, 3), [1, 2, 3, 4]), "4 of 4 items are not of unit"),
    Bad("an id too few", lambda: SearchIndex(unit(4, 3), [1, 2, 3]), "was given 3 ids for embeddings of shape"),
    Bad("an id given twice", lambda: SearchIndex(unit(2, 3), [1, 1]), "The id 1 is given twice"),
    Bad("an index of another kind", lambda: SearchIndex(unit(2, 3), [1, 2], "faiss"), "no kind of index 'faiss'"),
    Bad("an id of one and a half", lambda: SearchIndex(unit(2, 3), [1.5, 2]), "is neither a text nor a whole number"),
    Bad("a single row", lambda: SearchIndex(unit(2, 3)[0], [1]), "rows of embeddings were wanted"),
    Bad("words as embeddings", lambda: SearchIndex(["fox"], [1]), "are no embeddings: give rows of numbers"),
    Bad("a number as embeddings", lambda: SearchIndex(5, [1]), "rows of embeddings were wanted"),
    Bad("more than there are", lambda: SearchIndex(unit(2, 3), [1, 2]).search(unit(1, 3), 5),
        "k = 5 items were asked for of 2"),
    Bad("half an answer", lambda: SearchIndex(unit(2, 3), [1, 2]).search(unit(1, 3), 1.5), "k = 1.5 items were asked"),
    Bad("an answer of letters", lambda: SearchIndex(unit(2, 3), [1, 2]).search(unit(1, 3), "2"),
        "k = 2 items were asked"),
    Bad("queries of another width", lambda: SearchIndex(unit(2, 3), [1, 2]).search(unit(1, 4)), "the queries have 4"),
    Bad("an item that is not there", lambda: SearchIndex(unit(2, 3), [1, 2]).remove([7]), "There is no item 7"),
    Bad("a bank of another width", lambda: SearchIndex(unit(2, 3), [1, 2], "auto", unit(2, 4)),
        "The bank has 4 dimensions"),
    Bad("an empty index", lambda: SearchIndex(unit(0, 3), []).search(unit(1, 3), 1), "k = 1 items were asked for of 0"),
]  # fmt: skip
SETS = [
    Bad("an unknown data set", lambda: data.load("mnist"), "data set 'mnist' is unknown; choose one of"),
    Bad("an unknown profile", lambda: data.load("emoji", "fast"), "profile 'fast' is unknown; choose one of"),
    Bad("an unknown option", lambda: data.load("emoji", "toy", colour=1), "emoji has no option 'colour'"),
    Bad("an unknown split", lambda: data.load("emoji", "toy", split="half"), "split 'half' is unknown"),
    Bad("an unknown style", lambda: data.load("emoji", "toy", style="noto"), "style 'noto' is unknown"),
    Bad("a seed below 0", lambda: data.load("emoji", "toy", -1), "seed -1 is not a whole number"),
    Bad("a difficulty that is none", lambda: data.load("audio_score", "toy", difficulty="odd"),
        "difficulty 'odd' is unknown"),
    Bad("pairs below 0", lambda: data.load("audio_score", "toy", train_pairs=-1), "train_pairs -1 is not a count"),
    Bad("a rendering of letters", lambda: data.load("audio_score", "toy", renderings="x"),
        "renderings 'x' is not a count"),
    Bad("a file for built pairs", lambda: data.load("audio_score", "toy", dataset_file="x", renderings=2),
        "renderings goes with"),
    Bad("sheet music that is not there", lambda: data.load("audio_score", "toy", dataset_file="/gone"),
        "/gone is not there"),
    Bad("features that are not there", lambda: data.load("iapr", "toy", dataset_file="/gone"),
        "/gone is not there; run: xm data"),
    Bad("collections that are none", lambda: data.load("icons", "toy", collections="noto"),
        "collection 'noto' is unknown"),
    Bad("pairs of icons below 0", lambda: data.load("icons", "toy", train_pairs=-3), "train_pairs -3 is not a count"),
    Bad("a download of nothing", lambda: download.original("mnist"), "nothing to download for 'mnist'"),
    Bad("a kind of view that is none", lambda: of_kind("video"), "no kind of view 'video'; choose"),
    Bad("one text to learn from", lambda: Texts().fit(["fox"]), "."),
    Bad("a number as a picture", lambda: Images().transform([5]), "not a path"),
    Bad("three frames", lambda: Sounds(frames=3), "frames = 3 is too few"),
    Bad("a sound in a pipe",
        lambda folder: Sounds(frames=20).transform([os.mkfifo(folder / "x.wav") or folder / "x.wav"]),
        "is no sound that can be used"),
]  # fmt: skip


def changed(change):
    """A sound record with a change, loaded."""

    def run(folder):
        record = json.loads(min(paths.RECORDS.glob("medium/*.json")).read_text(encoding="utf-8"))
        change(record)
        (folder / "x.json").write_text(json.dumps(record), encoding="utf-8")
        records.load(folder / "x.json")

    return run


def said(content):
    def run(folder):
        (folder / "x.json").write_bytes(content)
        records.load(folder / "x.json")

    return run


WAY = "view1_to_view2"
RECORDS = [
    Bad("a record that is not there", lambda folder: records.load(folder / "x.json"), "There is no record"),
    Bad("a folder as a record", lambda folder: records.load(folder), "There is no record"),
    Bad("an empty record", said(b""), "is not a record but broken JSON"),
    Bad("half a record", said(b'{"format": 2, '), "broken JSON"),
    Bad("a record nested without end", said(b"[" * 10**5), "broken JSON"),
    Bad("bytes as a record", said(b"\xff\xfe\x00"), "broken JSON"),
    Bad("a list as a record", said(b"[]"), "is not a record of format"),
    Bad("another format", changed(lambda r: r.update(format=99)), "is not a record of format"),
    *(Bad(f"a record without {key}", changed(lambda r, key=key: r.pop(key)), f"is no sound record: {key} is missing")
      for key in ("metrics", "history", "data", "machine", "ranks", "commit", "seed", "parameters")),
    Bad("a better MRR", changed(lambda r: r["metrics"][WAY].update(mrr=0.999)), "its ranks give"),
    Bad("a better rank", changed(lambda r: r["ranks"][WAY].__setitem__(0, 7)), "its ranks give|are not those of"),
    Bad("a rank of 0", changed(lambda r: r["ranks"][WAY].__setitem__(0, 0)), "are not those of"),
    Bad("a rank too few", changed(lambda r: r["ranks"][WAY].pop()), "are not those of"),
    Bad("a seed of letters in a record", changed(lambda r: r.update(seed="1")), "seed is of type str"),
    Bad("a number without end", changed(lambda r: r.update(best_epoch=10**30)), "best_epoch is too large"),
    Bad("an epoch that was not", changed(lambda r: r.update(best_epoch=10**6)), "is not that of best_epoch"),
    Bad("a method from elsewhere", changed(lambda r: r.update(method="magic")), "there is no method 'magic'"),
    Bad("a profile above the folder", changed(lambda r: r.update(profile="../x")), "cannot be part of a file's name"),
    Bad("a commit that is an option", changed(lambda r: r.update(commit="--upload-pack=x")), "is not hexadecimal"),
    Bad("parameters of another run", changed(lambda r: r["parameters"].update(method="ccal_nce")), "in its parameters"),
    Bad("a run that says it converged", changed(lambda r: r.update(converged=not r["converged"])), "converged is"),
]  # fmt: skip


@pytest.mark.parametrize("row", named(MATHEMATICS + TRAINING + INDEXES + SETS + RECORDS))
def test_bad_arguments_are_refused_in_one_sentence(row, tmp_path):
    stops(row.do, row.says, tmp_path)


@pytest.mark.parametrize("name", SEARCHING)
def test_a_trained_model_refuses_what_does_not_fit_in_one_sentence(model, name, tmp_path):
    do, says = SEARCHING[name]
    stops(lambda: do(model), says, tmp_path)


def test_a_query_without_a_known_word_is_refused_in_one_sentence(reader, tmp_path):
    stops(lambda: reader.search("zebra"), "no word that training has seen", tmp_path)
    stops(lambda: reader.embed1(5), "is a sequence of items", tmp_path)
