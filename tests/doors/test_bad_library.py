"""Bad arguments of what people import: CCA, objectives, metrics, indexes, retrievers, data sets, records."""

import json
import os

import numpy as np
import pytest
import torch
from bad_inputs import Bad, named, stops
from torch.nn.functional import normalize

from xmlib import cca, data, evaluate, fit, methods, objectives, paths, profiles
from xmlib.data import download
from xmlib.data.own.sounds import Sounds
from xmlib.data.pictures.preparation import Images
from xmlib.data.preparation import Texts, of_kind
from xmlib.retriever import Retriever, SearchIndex, training
from xmlib.runs import records
from xmlib.scoring import hubness, intervals

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


def calls(do, *arguments, **named):
    """The call as a function without arguments."""
    return lambda: do(*arguments, **named)


def projected(view):
    return cca.cca(view, noise(*view.shape))


def refitted(view):
    return cca.CCALayer(view.shape[1]).refit(view, noise(*view.shape))


def trained(scale):
    """The training of a layer on a view of numbers of that size."""

    def run():
        features = [(rows(80, 5) * size).astype(np.float32) for size in (scale, 1)]
        split = training.split_of(*features, np.arange(80))
        settings = profiles.settings("toy", "table", "ccal_cont", d=3, batch=20, epochs=1)
        model = methods.build("ccal_cont", settings, 1, ((5,), (5,)))
        fit.fit(model, training.splits_of(split, split, 1), "ccal_cont", settings)

    return run


SETTINGS = profiles.settings("toy", "table", "ccal_cont", d=2, batch=20)
MATHEMATICS = [
    Bad("CCA of too few pairs", lambda: cca.cca(noise(3, 5), noise(3, 5)), "CCA needs more pairs than dimensions"),
    Bad("CCA of unequal views", lambda: cca.cca(noise(30, 5), noise(29, 5)), "CCA needs as many rows .* got 30 and 29"),
    Bad("CCA of whole numbers", lambda: cca.cca(noise(9, 2).long(), noise(9, 2).long()), "needs floating-point ones"),
    Bad("no directions", lambda: cca.CCALayer(4, k=0), "k = 0 is no whole number of at least 1 and at most 4"),
    Bad("too many directions", lambda: cca.CCALayer((4, 3), k=4), "k = 4 is no whole number .* at most 3"),
    Bad("no weight of a batch", lambda: cca.CCALayer(4, alpha=0), "alpha = 0 is no finite number above 0 and"),
    Bad("a weight that is NaN", lambda: cca.CCALayer(4, alpha=float("nan")), "alpha = nan is no"),
    Bad("a layer of no width", lambda: cca.CCALayer(0), "d = 0 is no whole number of at least 1"),
    Bad("features of another width", lambda: cca.CCALayer(4)(noise(9, 5), noise(9, 5)), r"made for widths \(4, 4\)"),
    Bad("a batch as small as d", lambda: cca.CCALayer(4)(noise(4, 4), noise(4, 4)), "CCA needs more pairs"),
    Bad("a layer without projections", lambda: cca.CCALayer(4).eval()(noise(9, 4), noise(9, 4)), "no projections yet"),
    Bad("a refit of too few", lambda: cca.CCALayer(4).refit(noise(4, 4), noise(4, 4)), "CCA needs more pairs"),
    Bad("views without columns", lambda: cca.cca(noise(9), noise(9)), r"CCA takes two tensors .* shape \(9,\) and"),
    Bad("views of three axes", lambda: cca.cca(noise(9, 2, 2), noise(9, 2)), r"shape \(9, 2, 2\) and Tensor"),
    Bad("arrays as views", lambda: cca.cca(rows(9, 2), rows(9, 2)), "got ndarray of shape"),
    Bad("a ridge below 0", lambda: cca.cca(noise(9, 2), noise(9, 2), -1), "ridge = -1 is no finite number of at least"),
    Bad("a ridge that is NaN", lambda: cca.cca(noise(9, 2), noise(9, 2), float("nan")), "ridge = nan is no finite"),
    Bad("a ridge without end", lambda: cca.cca(noise(9, 2), noise(9, 2), float("inf")), "ridge = inf is no finite"),
    Bad("a ridge of letters", lambda: cca.cca(noise(9, 2), noise(9, 2), "small"), "ridge = 'small' is no finite"),
    Bad("a layer's ridge below 0", lambda: cca.CCALayer(4, ridge=-1e-3), "ridge = -0.001 is no finite number"),
    Bad("a layer's ridge that is NaN", lambda: cca.CCALayer(4, ridge=float("nan")), "ridge = nan is no finite"),
    Bad("a weight above 1", lambda: cca.CCALayer(4, alpha=1.5), "alpha = 1.5 is no finite .* and at most 1"),
    Bad("a weight of letters", lambda: cca.CCALayer(4, alpha="all"), "alpha = 'all' is no finite number"),
    Bad("a width below 0", lambda: cca.CCALayer(-3), "d = -3 is no whole number of at least 1"),
    Bad("half a width", lambda: cca.CCALayer(2.5), "d = 2.5 is no whole number"),
    Bad("a width of letters", lambda: cca.CCALayer("4"), "d = '4' is no whole number"),
    Bad("three widths", lambda: cca.CCALayer((4, 4, 4)), r"d = \(4, 4, 4\) is no whole number"),
    Bad("a pair with no width", lambda: cca.CCALayer((4, 0)), "d = 0 is no whole number of at least 1"),
    Bad("half a direction", lambda: cca.CCALayer(4, k=1.5), "k = 1.5 is no whole number"),
    Bad("a layer given a single row", lambda: cca.CCALayer(4)(noise(4), noise(4)), "CCA takes two tensors"),
    Bad("a layer given unequal views", lambda: cca.CCALayer(4)(noise(9, 4), noise(8, 4)), "got 9 and 8"),
    *(Bad(f"{call.__name__} of views near {scale:g}", calls(call, noise(9, 2) * scale),
          r"View 1 varies by .* at most, which is nothing beside ridge = 0.001: multiply the view by a constant")
      for call in (projected, refitted) for scale in (1e-20, 0)),
    Bad("a view near 1e-20 in training", trained(1e-20), "view1 of the train split are .e-20 at most, and"),
    Bad("a view near 1e20 in training", trained(1e20), "view1 of the train split are .e.20 at most, and encoders take"),
    Bad("a view of zeros in training", trained(0), "view1 of the train split are 0e.00 at most"),
    Bad("the ranking loss of unequal lengths", lambda: objectives.ranking_loss(unit(5, 3), unit(4, 3)), "got 5 and 4"),
    Bad("the ranking loss of unequal widths", lambda: objectives.ranking_loss(unit(5, 3), unit(5, 2)),
        r"with the same d, but got Tensor of shape \(5, 3\) and Tensor of shape \(5, 2\): give one row"),
    Bad("the ranking loss of one axis", lambda: objectives.ranking_loss(noise(5), noise(5)), "takes two tensors"),
    *(Bad(f"a margin of {margin}", calls(objectives.ranking_loss, unit(5, 3), unit(5, 3), margin),
          f"margin = {margin!r} is no finite number above -2: give one, such as 0.5")
      for margin in (float("nan"), float("inf"), -2, "wide", None)),
    Bad("InfoNCE of unequal lengths", lambda: objectives.info_nce(unit(5, 3), unit(4, 3)), "InfoNCE needs as many"),
    Bad("InfoNCE of unequal widths", lambda: objectives.info_nce(unit(5, 3), unit(5, 2)), "with the same d, but got"),
    Bad("InfoNCE of nothing", lambda: objectives.info_nce(unit(0, 3), unit(0, 3)), "at least one, but got 0 and 0"),
    Bad("InfoNCE of three axes", lambda: objectives.info_nce(noise(5, 2, 2), noise(5, 2, 2)), "InfoNCE takes two"),
    *(Bad(f"a temperature of {heat}", calls(objectives.info_nce, unit(5, 3), unit(5, 3), heat),
          f"temperature = {heat!r} is no finite number above 0: give one, such as 0.07")
      for heat in (0, 0.0, -1, float("nan"), float("inf"), "warm", None)),
    Bad("the trace norm of one axis", lambda: objectives.trace_norm(noise(9), noise(9)), "CCA takes two tensors"),
    Bad("the trace norm with a ridge below 0", lambda: objectives.trace_norm(noise(9, 2), noise(9, 2), -1), "ridge"),
    Bad("the trace norm with a ridge that is NaN",
        lambda: objectives.trace_norm(noise(9, 2), noise(9, 2), float("nan")), "ridge = nan is no finite number"),
    Bad("the ranking loss of one pair", lambda: objectives.ranking_loss(unit(1, 3), unit(1, 3)), "at least two pairs"),
    Bad("the trace norm of few", lambda: objectives.trace_norm(noise(3, 5), noise(3, 5)), "CCA needs more pairs"),
    Bad("the trace norm of unequal views", lambda: objectives.trace_norm(noise(9, 2), noise(8, 2)), "got 9 and 8"),
    Bad("scores of unequal numbers", lambda: evaluate.both_ways(unit(4, 3), unit(5, 3)),
        "as many rows in one view as in the other"),
    *(Bad(f"{call.__name__} of unequal widths", calls(call, unit(4, 3), unit(4, 2)),
          r"with the same d, but got Tensor of shape \(4, [23]\) and")
      for call in (evaluate.ranks, evaluate.retrieval_metrics, evaluate.both_ways, evaluate.mrr, evaluate.hubness,
                   evaluate.mean_distance, hubness.csls, hubness.query_bank)),
    Bad("ranks of one axis", lambda: evaluate.ranks(noise(4), noise(4)), "Retrieval takes two tensors"),
    Bad("ranks of arrays", lambda: evaluate.ranks(rows(4, 3), rows(4, 3)), "got ndarray of shape"),
    Bad("ranks of lists", lambda: evaluate.ranks([1, 2], [1, 2]), r"got list of shape \(\) and"),
    Bad("metrics of nothing", lambda: evaluate.retrieval_metrics(unit(0, 3), unit(0, 3)), "but got 0 and 0"),
    Bad("hubs among no candidates", lambda: evaluate.hubness(unit(4, 3), unit(0, 3)), "at least one row a view"),
    Bad("hubs among the best 0", lambda: evaluate.hubness(unit(4, 3), unit(4, 3), k=0), "k = 0 is no whole number"),
    Bad("a group too few", lambda: evaluate.both_ways(unit(4, 3), unit(4, 3), [1, 2, 3]),
        r"There are 4 queries, but group labels of shape \(3,\): give one label a query"),
    Bad("an interval of nothing", lambda: evaluate.bootstrap_interval([]), "There are 0 queries"),
    Bad("groups of another number", lambda: evaluate.bootstrap_interval([1, 0, 1], [1, 1]), "There are 3 queries, but"),
    Bad("seeds whose groups are too many", lambda: intervals.crossed_mean(rows(3, 5), range(6)), "There are 5 queries"),
    Bad("chance among none", lambda: evaluate.chance_metrics(0), "n = 0 is no whole number of at least 1"),
    Bad("scores of nothing", lambda: evaluate.both_ways(unit(0, 3), unit(0, 3)), "and at least one, but got 0 and 0"),
    Bad("rows that are not scaled", lambda: evaluate.both_ways(3 * unit(4, 3), unit(4, 3)),
        "4 of 4 queries are not of unit"),
    Bad("embeddings of NaN", lambda: evaluate.both_ways(NAN, NAN), "hold NaN or infinite values"),
    Bad("embeddings of 0", lambda: evaluate.mrr(0 * unit(4, 3), unit(4, 3)),
        "not of unit length, first row 0 of length 0"),
    Bad("hubs of NaN", lambda: hubness.csls(NAN, NAN), "hold NaN or infinite values"),
    Bad("a method that is none", lambda: methods.build("cca", SETTINGS, 1), "no method 'cca'; choose one of"),
    Bad("a profile that is none", lambda: profiles.settings("fast"), "no profile 'fast'; choose one of toy"),
    Bad("a data set that is none", lambda: profiles.settings("toy", "mnist"), "no data set 'mnist'; choose"),
    Bad("a negative rate", lambda: profiles.settings("toy", lr=-1), "lr = -1 is no finite number of at least 0"),
    *(Bad(f"{name} = {value!r}", calls(profiles.settings, "toy", **{name: value}), f"{name} = {value!r} is")
      for name, value in dict(lr="fast", width="wide", batch="x", d=2.5, epochs=float("nan"), l2=float("inf"), k=True,
                              ridge=None, temperature=float("nan"), augment=-2, both_ways="yes", precision=16).items()),
    *(Bad(f"{name} above 1", calls(profiles.settings, "toy", **{name: 1.5}), f"{name} = 1.5 .* at most 1")
      for name in profiles.SHARES),
    Bad("a setting that nobody knows", lambda: profiles.settings("toy", rate=1), "no setting 'rate'; choose one of d"),
    Bad("a list of profiles", lambda: profiles.settings(["toy"]), r"no profile \['toy'\]; choose one of toy"),
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
    Bad("a rate that is a text", train(lr="fast"), "lr = 'fast' is no finite number of at least 0: give"),
    Bad("a rate that is NaN", train(lr=float("nan")), "lr = nan is no finite number"),
    Bad("patience of half an epoch", train(patience=2.5), "patience = 2.5 is no whole number"),
    Bad("a rate that explodes", train(lr=1e30, epochs=3), "first epoch gave a loss that is not a number.*: lower lr"),
    Bad("no temperature", train(method="linear_nce", temperature=0.0, epochs=2), "temperature = 0.0 is no finite"),
    Bad("NaN in a view", train(rows(30, 3) * np.nan), "holds NaN or infinite values, first in item 0"),
    Bad("too few pairs", train(rows(3, 3), rows(3, 3)), "There are 3 pairs, and training needs 4"),
    Bad("d above the features", train(d=50), "d = 50 is more than the 3 features"),
    Bad("a negative d", train(d=-1), "d = -1 is no whole number"),
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
    "tests of nothing": (lambda m: m.evaluate(rows(0, 3), rows(0, 4)), "at least one, but got 0 and 0"),
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
