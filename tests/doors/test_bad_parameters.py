"""Parameters of the notebooks: whatever is wrong is one sentence of the first cell, before anything is built."""

import json

import pytest
from bad_inputs import Bad, named, stops

from xmlib import data, methods, paths
from xmlib.runs import parameters

OF_NOTEBOOK = {
    "image_text": dict(method=methods.IMAGE_METHODS, dataset=data.of_notebook("image_text")),
    "audio_score": dict(method=methods.AUDIO_METHODS),
    "neighborhoods": dict(method=methods.NEIGHBORHOODS, dataset=data.of_notebook("neighborhoods")),
}


def cells(notebook):
    """The sources of the parameter cell and of the next one, which checks them."""
    found = json.loads((paths.NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in found if cell["cell_type"] == "code"]
    first = next(i for i, cell in enumerate(code) if "parameters" in cell["metadata"].get("tags", []))
    return ["".join(cell["source"]) for cell in code[first : first + 2]]


def opened(notebook, **given):
    """What the first two cells do with parameters from papermill."""
    own, checks = cells(notebook)
    handed_over = "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in given.items())
    namespace = {"__name__": notebook, "In": [own, handed_over]}
    exec(own, namespace)  # our own notebook, as a kernel runs it
    namespace.update(given)
    exec(checks, namespace)


def bad(notebook, says, **given):
    name = ", ".join(f"{key}={str(value)[:40]!r}" for key, value in given.items())
    return Bad(f"{notebook}: {name}", lambda: opened(notebook, **given), says)


IMAGES, AUDIO, NEAR, OWN = "image_text", "audio_score", "neighborhoods", "your_pairs"
BOOL, INT, FLOAT, STR = (f"of type .*; give a {kind}" for kind in ("bool", "int", "float", "str"))
LEAST, MOST = "the least that means something is", "the most that means something is"
TABLE = [
    bad(IMAGES, BOOL, mirrored="maybe"), bad(IMAGES, BOOL, shuffled=2), bad(IMAGES, BOOL, shuffled=""),
    bad(IMAGES, BOOL, mirrored=None), bad(IMAGES, BOOL, mirrored=[True]), bad(NEAR, BOOL, released="ja"),
    bad(IMAGES, INT, seed="one"), bad(IMAGES, INT, seed=1.5), bad(IMAGES, INT, seed=None), bad(IMAGES, INT, seed=True),
    bad(IMAGES, INT, seed=float("inf")), bad(IMAGES, MOST, seed=2**70), bad(IMAGES, MOST, seed="1e300"),
    bad(IMAGES, LEAST, seeds=-3), bad(IMAGES, INT, seeds=""), bad(IMAGES, MOST, seeds=10**6),
    bad(IMAGES, LEAST, threads=-1), bad(IMAGES, INT, threads=2.5), bad(IMAGES, MOST, threads=10**9),
    bad(IMAGES, LEAST, d=-1), bad(IMAGES, INT, d="sixty"), bad(IMAGES, "too small for d = 100000", d=10**5),
    bad(IMAGES, "too small for d = 64", batch=8), bad(IMAGES, LEAST, batch=-5), bad(IMAGES, MOST, batch=10**9),
    bad(IMAGES, LEAST, epochs=-2), bad(IMAGES, INT, epochs="1,000"), bad(IMAGES, MOST, epochs=10**12),
    bad(IMAGES, FLOAT, width="inf"), bad(IMAGES, LEAST, width=-0.5), bad(IMAGES, MOST, width=1e9),
    bad(IMAGES, FLOAT, width="wide"), bad(IMAGES, FLOAT, width=[1]),
    bad(IMAGES, "no dataset ''", dataset=""), bad(IMAGES, "no dataset 'coco'; choose", dataset="coco"),
    bad(IMAGES, "no dataset 'Emoji'", dataset="Emoji"), bad(IMAGES, "no dataset 'audio_score'", dataset="audio_score"),
    bad(IMAGES, "no method 'cca'; choose one of ccal_tno", method="cca"), bad(IMAGES, STR, method=["ccal_cont"]),
    bad(IMAGES, "no method 'neighborhoods'", method="neighborhoods"), bad(IMAGES, "no method ''", method=""),
    bad(IMAGES, "no profile 'fast'; choose one of toy", profile="fast"), bad(IMAGES, "no profile 'Toy'", profile="Toy"),
    bad(IMAGES, "no split 'all'; choose one of grouped", split="all"), bad(IMAGES, "no split ''", split=""),
    bad(IMAGES, "no style 'noto'", style="noto"), bad(IMAGES, "no test style 'both'", test_style="both"),
    bad(IMAGES, LEAST, train_pairs=-1), bad(IMAGES, "train_pairs = 100 .*emoji has no such option", train_pairs=100),
    bad(IMAGES, "collections = 'tabler' .*emoji has no such", collections="tabler"),
    bad(IMAGES, "style = 'twemoji' .*openclipart has no such", dataset="openclipart", style="twemoji"),
    bad(IMAGES, "split = 'zero_shot' .*iapr has no such", dataset="iapr", split="zero_shot"),
    bad(IMAGES, "dataset_file = 'x.npz' .*emoji has no such", dataset_file="x.npz"),
    bad(IMAGES, "no comparison 'everything'; choose", comparisons="everything"), bad(IMAGES, STR, comparisons={"a": 1}),
    bad(IMAGES, "no device 'gpu'; choose one of auto", device="gpu"),
    bad(IMAGES, "no device 'cuda:1'", device="cuda:1"),
    bad(IMAGES, "No record can be written to '/dev/null'", record="/dev/null"),
    bad(IMAGES, "No record can be written to '/dev/null/x.json'", record="/dev/null/x.json"),
    bad(IMAGES, "No record can be written to '/proc/x'", record="/proc/x"),
    bad(IMAGES, "The parameter record is .*: no file can be called that", record="a\0b"),
    bad(IMAGES, "The parameter record is .*: no file can be called that", record="x" * 300),
    bad(IMAGES, "no parameter 'precision'; it has: method", precision="tf32"),
    bad(IMAGES, "no parameter 'Seed'", Seed=2), bad(IMAGES, "no parameter 'augment'", augment=1),
    bad(AUDIO, "no method 'linear_nce'; choose", method="linear_nce"),
    bad(AUDIO, "no method 'linear_cca'", method="linear_cca"),
    bad(AUDIO, "no precision 'float16'; choose one of float32", precision="float16"),
    bad(AUDIO, "no difficulty 'medium'; choose one of hard, easy", difficulty="medium"),
    bad(AUDIO, "no difficulty ''", difficulty=""), bad(AUDIO, LEAST, train_pairs=-4),
    bad(AUDIO, INT, train_pairs="many"),
    bad(AUDIO, LEAST, renderings=-1), bad(AUDIO, INT, renderings=0.5), bad(AUDIO, LEAST, augment=-2),
    bad(AUDIO, FLOAT, augment="strong"), bad(AUDIO, MOST, augment=1e9), bad(AUDIO, "too small for d = 32", batch=20),
    *(bad(AUDIO, "The variant .* cannot be part of a file's name", variant=word)
      for word in ("../up", "a b", ".hidden", "a/b", "<script>", "é")),
    bad(AUDIO, "no parameter 'dataset'; it has", dataset="emoji"), bad(AUDIO, MOST, width=1e9),
    bad(NEAR, "no method 'ccal_cont'; choose", method="ccal_cont"), bad(NEAR, LEAST, sym=-1),
    bad(NEAR, FLOAT, img="nan"),
    bad(NEAR, FLOAT, text=float("inf")), bad(NEAR, "no configuration 'nosuch'; choose", ablation="nosuch"),
    bad(NEAR, STR, ablation=["none", "sym"]),
    bad(NEAR, "no text encoder 'bert'; choose one of words", text_encoder="bert"),
    bad(NEAR, "The options are .*; give a dictionary", options=[1]), bad(NEAR, "give a dictionary", options=None),
    bad(NEAR, LEAST, options={"k": -1}), bad(NEAR, INT, options={"k": 1.5}), bad(NEAR, LEAST, options={"d": -3}),
    bad(NEAR, "no index 'faiss'; choose one of auto, exact", options={"index": "faiss"}),
    bad(NEAR, "no image encoder 'vgg'; choose", options={"image_encoder": "vgg"}),
    bad(NEAR, "no empty 'keep'; choose one of skip, stop", options={"empty": "keep"}),
    bad(NEAR, "no missing 'ignore'; choose", options={"missing": "ignore"}),
    bad(NEAR, "image_folder = 'there' .*emoji has no such option", options={"image_folder": "there"}),
    bad(NEAR, "missing = 'skip' .*emoji has no such option", options={"missing": "skip"}),
    bad(NEAR, FLOAT, options={"width": "nan"}), bad(NEAR, "no parameter 1; it has", options={1: 2}),
    bad(NEAR, "image_encoder is one of the options", image_encoder="pixels"),
    bad(NEAR, "no dataset 'iapr'", dataset="iapr"),
    bad(NEAR, "A batch of 30", method="ccal_neighborhoods", options={"batch": 10}),
    bad(OWN, "no method 'fast'; choose one of auto", method="fast"), bad(OWN, LEAST, minutes=-1),
    bad(OWN, FLOAT, minutes="ten"), bad(OWN, "no missing 'drop'", missing="drop"),
    bad(OWN, "no kind1 'pictures'; choose one of numbers", options={"kind1": "pictures"}),
    bad(OWN, "no decimal ';'", options={"decimal": ";"}), bad(OWN, FLOAT, options={"test_share": "abc"}),
    bad(OWN, MOST, options={"test_share": 1.5}), bad(OWN, LEAST, options={"valid_share": -0.1}),
    bad(OWN, LEAST, options={"pixels": -1}), bad(OWN, MOST, options={"pixels": 10**9}),
    bad(OWN, "no parameter 'id'; it has", options={"id": "x"}),
    bad(OWN, "id_column is one of the options", id_column="x"),
    bad(OWN, "/ is there and holds something else than a saved model", model="/"),
    bad(OWN, "No model can be written to '/dev/null/x'", model="/dev/null/x"),
    bad(OWN, "No model can be written to '/proc/a/b'", model="/proc/a/b"),
    bad(OWN, "no parameter 'image_column'", image_column="x"),
    bad("gradient_cca", LEAST, n=-1), bad("gradient_cca", LEAST, d=0), bad("gradient_cca", LEAST, ridge=-1),
    bad("gradient_cca", FLOAT, ridge="nan"), bad("gradient_cca", LEAST, noise_draws=0),
    bad("gradient_layer", LEAST, seed=-1),
    bad("gradient_precision", "sizes is .*; give a list of one or more whole numbers above 0", sizes=[]),
    bad("gradient_precision", "give a list of one or more whole numbers above 0", sizes=["a"]),
    bad("gradient_precision", "give a list of one or more whole numbers above 0", sizes=[8, -4]),
    bad("gradient_precision", "of type str; give a list", sizes="8, 16"),
    bad("gradient_precision", "of type int; give a list", sizes=8), bad("gradient_precision", LEAST, size_draws=0),
]  # fmt: skip


@pytest.mark.parametrize("row", named(TABLE))
def test_a_bad_parameter_is_one_sentence_of_the_first_cell(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stops(row.do, row.says, tmp_path)
    assert list(tmp_path.iterdir()) == []  # nothing was built


@pytest.mark.parametrize("notebook", OF_NOTEBOOK)
def test_an_option_of_another_data_set_may_keep_its_default(notebook):
    namespace = parameters.defaults(paths.NOTEBOOKS / f"{notebook}.ipynb")
    for dataset in OF_NOTEBOOK[notebook].get("dataset", [""]):
        given = namespace | ({"dataset": dataset} if dataset else {})
        nested = parameters.nested(paths.NOTEBOOKS / f"{notebook}.ipynb", given)
        assert parameters.checked(notebook, nested, **OF_NOTEBOOK[notebook]) == given
