"""Pairs of one's own that cannot be read: tables, folders, arrays, the files of known collections."""

import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
from bad_inputs import Bad, named, stops
from PIL import Image

from xmlib.data.own import arrays, coco, good_news, one_view, own_pairs, pairs, politics, table

N = 20
GOOD = "image,text\n" + "".join(f"p{i}.png,text {i}\n" for i in range(N))
DRAW = np.random.default_rng(0)
TWO = DRAW.normal(size=(N, 2))


def written(folder, name, content):
    """A file of that text, bytes or JSON, beside a picture for each row of `GOOD`."""
    for i in range(N):
        Image.new("RGB", (8, 6), (9 * i, 255 - 9 * i, 40)).save(folder / f"p{i}.png")
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def read(name, content, **options):
    """A table or another file by itself, as `pairs.read` and `xm train` take it."""
    return lambda folder: pairs.read(table=written(folder, name, content), quiet=True, **options)


def old(name, content, **options):
    """The same by the reader of the notebook on neighbourhoods."""
    return lambda folder: table.read(written(folder, name, content), **options)


def views(*both, **options):
    return lambda: pairs.read(*both, quiet=True, **options)


def piped(call, name):
    def run(folder):
        os.mkfifo(folder / name)
        call(folder / name)

    return run


NO_TABLE, UNUSABLE = "cannot be read as a table", "pairs cannot be used"
TABLES = [
    Bad("a table that is not there", lambda folder: pairs.read(table=folder / "x.csv"), "is not there; give a file"),
    Bad("a folder as a table", lambda folder: pairs.read(table=folder), "is not there; give a file"),
    Bad("a name too long for a file", lambda: pairs.read(table="x" * 5000), "is not there"),
    Bad("a name with a zero in it", lambda: pairs.read(table="x\0.csv"), "is not there"),
    Bad("a number as a table", lambda: pairs.read(table=5), "table is 5 of type int; give a text"),
    Bad("a pipe as a table", piped(lambda file: table.read(file), "x.csv"), "is not there"),
    Bad("a document", read("x.doc", "a"), "ends in '.doc'; a table ends in"),
    Bad("an empty table", read("x.csv", ""), "no two columns separated by"),
    Bad("one column", read("x.csv", "a\n1\n2\n"), "no two columns separated by"),
    Bad("one row", read("x.csv", "a,b\n1,2\n"), "1 usable pairs are too few"),
    Bad("a row too long", read("x.csv", GOOD + "p1.png,a,b\n"), NO_TABLE),
    Bad("an encoding that is none", read("x.csv", GOOD, encoding="klingon"), "encoding 'klingon' is unknown"),
    Bad("an encoding that is no text", read("x.csv", GOOD, encoding=8), "encoding is 8 of type int"),
    Bad("an encoding of bytes", read("x.csv", GOOD, encoding="hex"), "encoding 'hex' is unknown"),
    Bad("another encoding", read("x.csv", GOOD + "p1.png,ü\n", encoding="ascii"), "is not in ascii"),
    Bad("bytes of no text", read("x.csv", b"\x81,\x8d\n" * 20), "is not in cp1252"),
    Bad("two characters between columns", read("x.csv", GOOD, separator="::"), "separator '::' is not one character"),
    Bad("a quotation mark between columns", read("x.csv", GOOD, separator='"'), "is not one character"),
    Bad("a line break between columns", read("x.csv", GOOD, separator="\n"), "is not one character"),
    Bad("a separator that is no text", read("x.csv", GOOD, separator=5), "separator is 5 of type int"),
    Bad("another separator", read("x.csv", GOOD, separator=";"), "the columns image,text; say by key1"),
    Bad("no decimal sign", read("x.csv", GOOD, decimal=";"), "decimal ';' is no decimal sign"),
    Bad("a pattern of no column", read("x.csv", GOOD, key1="z*", key2="text"), r"no column 'z\*' \(it has: image"),
    Bad("half a pattern", read("x.csv", GOOD, key1="[", key2="text"), r"no column '\['"),
    Bad("a key that is no text", read("x.csv", GOOD, key1=1, key2=2), "key1 is 1 of type int"),
    Bad("one key alone", read("x.csv", GOOD, key1="text"), "say by key1 and key2"),
    Bad("ids in no column", read("x.csv", GOOD, id_column="z"), r"no column 'z' \(it has: image, text\)"),
    Bad("an id twice", read("x.csv", "id,a,b\n" + "x,1,2\n" * 12), "the id 'x' is in row 1 and in row 2"),
    Bad("a folder that is not there", read("x.csv", GOOD, folder="/nonexistent"), f"20 of 20 {UNUSABLE}"),
    Bad("numbers beyond float32", read("x.csv", "a,b\n" + "1e999,2\n" * N), "'1e999' in column a is no number"),
    Bad("a column of one value", read("x.csv", "a,b\n" + "".join(f"1,{i}\n" for i in range(N))),
        "items of column a are equal"),
    Bad("a kind that is none", read("x.csv", GOOD, kind1="picture"), "kind1 'picture' is unknown; choose one of"),
    Bad("missing that is none", read("x.csv", GOOD, missing="drop"), "missing 'drop' is unknown"),
    Bad("a table and a view", read("x.csv", GOOD, view1=TWO), "give either a table, or view1 and view2"),
    Bad("lines of lists", read("x.jsonl", "[1]\n"), "line 1 of .* is of type list"),
    Bad("lines nested without end", read("x.jsonl", '{"a": ' + "[" * 10**5), "line 1 of .* is not JSON"),
    Bad("a number of 5,000 digits", read("x.jsonl", '{"a": ' + "9" * 5000 + "}"), "line 1 of .* is not JSON"),
    Bad("cells that are objects", read("x.jsonl", '{"a": {}, "b": 1}\n' * N), "row 1 of column a is of type dict"),
    Bad("lists of two lengths", read("x.jsonl", '{"a": [1], "b": 1}\n{"a": [1, 2], "b": 1}\n'),
        "lists of 1 and of 2 numbers"),
    Bad("Parquet that is none", read("x.parquet", b"PAR1" + b"\0" * 50 + b"PAR1"), "cannot be read as .parquet"),
    Bad("Parquet with a lying length", read("x.parquet", b"PAR1" + b"\xff" * 50 + struct.pack("<I", 40) + b"PAR1"),
        "cannot be read as .parquet"),
]  # fmt: skip

# By the reader of pictures with several texts each, which the notebook on neighbourhoods has.
PICTURES = [
    Bad("nothing that is there", lambda folder: table.read(folder / "gone"), "is not there; give a folder, or a table"),
    Bad("too long a name", lambda: table.read("x" * 5000), "is not there; give a folder"),
    Bad("an empty folder", lambda folder: table.read(folder), "has no pairs of a picture and a text"),
    Bad("a column of addresses", old("x.csv", GOOD.replace("image", "url")),
        r"no column 'image' \(it has: url, text\)"),
    Bad("a column that was asked for", old("x.csv", GOOD, text_column="z"), "no column 'z'"),
    Bad("a head alone", old("x.csv", "image,text\n"), "has no pairs of a picture and a text"),
    Bad("a row cut short", old("x.csv", GOOD + "p1.png\n"), "1 of 21 texts in .* are empty"),
    Bad("a mark that is never closed", old("x.csv", GOOD + 'p1.png,"a, b\n'), "a quotation mark in line 22"),
    Bad("two marks in rows apart", old("x.csv", GOOD.replace("text 3", '"a, b').replace("text 9", '"c, d')),
        "a quotation mark"),
    Bad("a picture above the folder", old("in/x.csv", "image,text\n../p0.png,a\n"), "'../p0.png', which is outside of"),
    Bad("a picture at a place of its own", old("x.csv", "image,text\n/etc/passwd,a\n"),
        "'/etc/passwd', which is outside"),
    Bad("a picture above, as on Windows", old("in/x.csv", "image,text\n..\\p0.png,a\n"), "which is outside of"),
    Bad("a picture that is a pipe", lambda folder: (os.mkfifo(folder / "q.png"), old("x.csv",
        "image,text\nq.png,a\n")(folder)),
        "1 of 1 pictures named in .* are not in"),
    Bad("two groups of a picture", old("x.csv", "image,text,group\np1.png,a,1\np1.png,b,2\n"), "different groups"),
    Bad("a table of another kind", old("x.ods", "?"), "ends in '.ods'; a table ends in"),
    Bad("lines in another encoding", old("x.jsonl", '{"image": "ü"}'.encode("latin-1")), "is not in UTF-8"),
    Bad("an option that is none", lambda folder: own_pairs.load("table", "toy", 1, "x.csv", colour=1),
        "table has no option 'colour'"),
    Bad("no file", lambda: own_pairs.load("coco", "toy", 1), "coco needs dataset_file"),
    *(Bad(f"a seed that is {seed!r}", lambda folder, seed=seed: own_pairs.load("table", "toy", seed, written(folder,
        "x.csv", GOOD)),
          "is not a whole number from 0 to") for seed in (-1, 1.5, "a", None, True)),
    *(Bad(f"a share that is {share!r}", lambda folder, share=share: own_pairs.load(
          "table", "toy", 1, written(folder, "x.csv", GOOD), test_share=share), "is not a share; give a number between")
      for share in ("abc", None, float("nan"), 0, 1, -0.5, True)),
    *(Bad(f"processes that are {count!r}", lambda folder, count=count: own_pairs.load(
          "table", "toy", 1, written(folder, "x.csv", GOOD), processes=count, cache_folder=folder / "c"),
              "is not a count; give")
      for count in (-1, "x", 1.5)),
    Bad("crossing that is none", lambda folder: own_pairs.load("table", "toy", 1, written(folder,
        "x.csv", GOOD), crossing=True),
        "crossing True is unknown"),
]  # fmt: skip


def captions(**changes):
    whole = {"images": [{"id": i, "file_name": f"p{i}.png"} for i in range(N)],
             "annotations": [{"image_id": i, "caption": f"text {i}"} for i in range(N)]}  # fmt: skip
    return lambda folder: coco.read(written(folder, "x.json", whole | changes))


def karpathy(**changes):
    image = {"filename": "p0.png", "split": "train", "sentences": [{"raw": "x"}]}
    return lambda folder: own_pairs.load("coco", "toy", 1, written(folder, "x.json", {"images": [image | changes]}))


def loaded(reader, name, content, **options):
    return lambda folder: reader.read(written(folder, name, content), **options)


COLLECTIONS = [
    Bad("an id of two pictures", captions(images=[{"id": i // 2, "file_name": f"p{i}.png"} for i in range(N)]),
        "gives the id 0 to p0.png and to p1.png"),
    Bad("an id that is yes", captions(images=[{"id": True, "file_name": "p1.png"}]), "type bool under 'id'"),
    Bad("a picture without a name", captions(images=[{"id": 1}]), "nothing under 'file_name'"),
    Bad("pictures that are numbers", captions(images=[1, 2]), "image 0 in .* has nothing under 'file_name'"),
    Bad("a caption that is none", captions(annotations=[{"image_id": 1, "caption": None}]), "nothing under 'caption'"),
    Bad("captions under names", captions(annotations={}), "type dict under 'annotations'; a list was wanted"),
    Bad("no captions", captions(annotations=[]), "has no pairs of a picture and a text"),
    Bad("a picture outside", captions(images=[{"id": i, "file_name": f"../p{i}.png"} for i in range(N)]),
        "which is outside of"),
    Bad("captions nested without end", loaded(coco, "x.json", "[" * 10**5), "is not JSON"),
    Bad("captions in a pipe", piped(lambda file: coco.read(file), "x.json"), "is a folder, a pipe or a device"),
    Bad("captions in a folder", lambda folder: coco.read(folder), "is a folder, a pipe or a device"),
    Bad("the same file for the test", lambda folder: coco.read(captions_file(folder), test_file=captions_file(folder)),
        "different groups, labels or splits"),
    Bad("no count of captions", lambda folder: coco.read(captions_file(folder), captions_per_image=2.5),
        "2.5 is not a count"),
    Bad("a split that is none", karpathy(split="exam"), "a split that is 'exam'; write train"),
    Bad("sentences without words", karpathy(sentences=[{"tokens": []}]), "nothing under 'raw'"),
    Bad("a place that is a list", karpathy(filepath=["a"]), "are not in"),
    Bad("a list of articles", loaded(good_news, "x.json", []), "something of type list; a file of articles"),
    Bad("articles without pictures", loaded(good_news, "x.json", {"a": {"images": None}}), "nothing under 'images'"),
    Bad("a caption that is a number", loaded(good_news, "x.json", {"a": {"images": {"0": 5}}}), "type int under '0'"),
    Bad("no articles", loaded(good_news, "x.json", {}), "has no pairs"),
    Bad("articles in a device", lambda: good_news.read("/dev/zero"), "is a folder, a pipe or a device"),
    Bad("no pickle", loaded(politics, "x.pickle", b"abc"), "is no whole pickle"),
    Bad("half a pickle", loaded(politics, "x.pickle", pickle.dumps(list(range(100)))[:20]), "is no whole pickle"),
    Bad("a pickle of numbers", loaded(politics, "x.pickle", pickle.dumps([1])), "item 0 of .* is not a pair"),
    Bad("a pickle that calls", loaded(politics, "x.pickle", b"cos\nsystem\n(S'id'\ntR."),
        "is refused, and nothing in it was run"),
    Bad("a pickle that claims gigabytes", loaded(politics, "x.pickle", b"\x80\x02\x8b\xff\xff\xff\x7f."),
        "is no whole pickle"),
    Bad("a pickle of marks", loaded(politics, "x.pickle", b"(" * 10**6 + b"."), "is no whole pickle"),
    Bad("a pickle in a pipe", piped(lambda file: politics.read(file), "x.pickle"), "is a folder, a pipe or a device"),
]  # fmt: skip


def captions_file(folder):
    captions()(folder)
    return folder / "x.json"


def header(shape, kind="<f8", data=b""):
    """A .npy file with that header."""
    text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text = text.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def file_of(content, name="x.npy"):
    return lambda folder: pairs.read(written(folder, name, content), TWO, quiet=True)


def packed(*names, first=b"", **options):
    usual = header(f"({N},)", data=bytes(8 * N))

    def run(folder):
        with zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(f"{name}.npy", first if first and name == names[0] else usual)
        return pairs.read(folder / "x.npz", quiet=True, **options)

    return run


def flipped(folder):
    np.savez(folder / "x.npz", a=TWO, b=TWO)
    whole = bytearray((folder / "x.npz").read_bytes())
    whole[200] ^= 255
    (folder / "x.npz").write_bytes(whole)
    arrays.load(folder / "x.npz", "a")


ARRAYS = [
    Bad("rows of unequal lengths", views([[1, 2]] * 19 + [[1]], TWO), "view1 has rows of unequal lengths"),
    Bad("texts of unequal lengths", views([["a"], ["b", "c"]] * 10, TWO), "rows of unequal lengths"),
    Bad("a pair too few", views(TWO, TWO[1:]), "view1 has 20 items and view2 has 19"),
    Bad("three pairs", views(TWO[:3], TWO[:3]), "3 usable pairs are too few"),
    Bad("no pairs", views(TWO[:0], TWO[:0]), "0 usable pairs are too few"),
    Bad("no features", views(TWO[:, :0], TWO), "view1 has no features"),
    Bad("two numbers", views(5, 6), "holds a single value"),
    Bad("a view that is none", views(None, TWO), "view1 is not given"),
    Bad("texts in two dimensions", views(np.array([["a", "b"]] * N), TWO), "texts in 2 dimensions"),
    Bad("objects", views([object()] * N, TWO), "holds Python objects"),
    Bad("a set", views({1, 2}, TWO), "holds Python objects"),
    Bad("NaN in every row", views(TWO * np.nan, TWO), f"20 of 20 {UNUSABLE}"),
    Bad("infinity in a row", views(np.r_[TWO[1:], [[np.inf, 0]]], TWO), f"1 of 20 {UNUSABLE} .row 20: NaN or infinite"),
    Bad("what float32 cannot hold", views(TWO * 1e300, TWO), "NaN or infinite in view1"),
    Bad("complex numbers", views(TWO * 1j, TWO), "holds complex128"),
    Bad("dates", views(np.array(["2020-01-01"] * N, dtype="M8[D]"), TWO), r"holds datetime64\[D\]"),
    Bad("equal rows", views(TWO * 0, TWO), "all 20 items of view1 are equal"),
    Bad("equal texts", views(["a"] * N, TWO), "all 20 items of view1 are equal"),
    Bad("empty texts", views([""] * N, TWO), "the text of view1 is empty"),
    Bad("numbers as texts", views(TWO, TWO, kind1="texts"), "holds numbers, so its kind is no 'texts'"),
    Bad("an array beside a folder", lambda folder: pairs.read(folder, TWO, quiet=True), "an array is no folder"),
    Bad("one folder of two", lambda folder: pairs.read(folder, folder / "b", quiet=True), "b is no folder"),
    Bad("a table as a view", lambda folder: pairs.read(written(folder, "x.csv", GOOD), TWO),
        "is a table; give it as table="),
    Bad("a program as a view", file_of(b"x", "x.exe"), "ends in '.exe'; arrays are read from"),
    Bad("a home of nobody", views("~nobodyatall/x.npy", TWO), "is not there; give the path of a file"),
    Bad("a view in a pipe", piped(lambda file: pairs.read(file, TWO), "x.npy"),
        "is not there; give the path of a file"),
    Bad("text in place of an array", file_of(b"hello world"), "cannot be read as .npy"),
    Bad("an empty array file", file_of(b""), "cannot be read as .npy"),
    Bad("a single value", file_of(header("()", data=bytes(8))), "holds a single value"),
    Bad("an array cut short", file_of(header("(20, 2)", data=bytes(100))),
        "100 bytes after its header, which promises 320"),
    Bad("terabytes", file_of(header("(1000000000000,)")), "promises 8,000,000,000,000"),
    Bad("a negative length", file_of(header("(-5,)")), "promises -40"),
    *(Bad(f"a shape that is {shape}", file_of(header(shape)), "cannot be read as .npy")
      for shape in ("(1.5,)", "'x'", "(2**70,)", "None", "((1,),)")),
    *(Bad(f"numbers of type {kind!r}", file_of(header(f"({N},)", kind, bytes(8 * N))), "cannot be read as .npy")
      for kind in ("<f99", "<q9", "", "U1000000000")),
    Bad("an array of objects", file_of(header(f"({N},)", "O", bytes(8 * N))), "holds pickled Python objects"),
    Bad("records in an array", file_of(header(f"({N},)", [("a", "<f8")], bytes(8 * N))),
        "numbers or texts were wanted"),
    Bad("a later format", file_of(b"\x93NUMPY\x09\x00" + bytes(20)), r"of NumPy's format \(9, 0\)"),
    Bad("a header nested without end", file_of(b"\x93NUMPY\x01\x00" + struct.pack("<H", 60000) + b"(" * 60000),
        "cannot be read"),
    Bad("terabytes in an archive", packed("a", "b", first=header("(1000000000000,)")), "'a' in .* is cut short"),
    Bad("an archive that swells", packed("a", "b", first=header("(4000000, 1000)", data=bytes(10**7))), "is cut short"),
    Bad("an archive of one", packed("a"), "say by key1 and key2"),
    Bad("an archive of none", packed(), "no arrays by name"),
    Bad("an archive of three", packed("a", "b", "c"), "has a, b, c; say by key1 and key2"),
    Bad("a name above the archive", packed("../a"), "has ../a; say by key1"),
    Bad("a key that is not there", packed("a", "b", key1="a", key2="c"), "no array 'c'; it has: a, b"),
    Bad("a flipped bit", flipped, "cannot be read as .npz .Bad CRC-32"),
    Bad("MATLAB that is none", file_of(b"MATLAB 5.0" + bytes(200), "x.mat"), "cannot be read as .mat"),
    Bad("MATLAB cut short", file_of(b"MAT", "x.mat"), "cannot be read as .mat"),
    Bad("two lines for twenty", file_of(b"a\nb\n", "x.txt"), "has 2 items and view2 has 20"),
    Bad("a third view", lambda folder: one_view.read(written(folder, "x.csv", GOOD), 3, "texts"),
        "view 3 is neither 1 nor 2"),
    Bad("a view of another kind", lambda folder: one_view.read(written(folder, "x.png", b""), 1, "audio"),
        "is of kind images"),
    Bad("a view of no known kind", lambda: one_view.read("x.txt", 1, "sparse"),
        "items of kind 'sparse' cannot be read"),
    Bad("a view of no items", lambda folder: one_view.read(folder, 1, "images"), "has no images; it has: nothing"),
]  # fmt: skip


@pytest.mark.parametrize("row", named(TABLES + PICTURES + COLLECTIONS + ARRAYS))
def test_pairs_that_cannot_be_read_are_refused_in_one_sentence(row, tmp_path):
    stops(row.do, row.says, tmp_path)


# --- sound input of the same kinds ---


@pytest.mark.parametrize("reader", [table.read, lambda file: pairs.read(table=file, quiet=True)], ids=["old", "new"])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x.tsv", lambda text: text.replace(",", "\t").replace("text 3", '"text 3').replace("text 9", '"text 9')),
        ("x.csv", lambda text: text.replace("text 3", '"text 3').replace("text 9", '"text 9')),
        ("x.csv", lambda text: text.replace("text 3", '"text 3')),
        ("x.csv", lambda text: text.replace(",", ";")),
        ("x.csv", lambda text: "".join(f"{line},,\n" for line in text.splitlines())),
        ("x.csv", lambda text: text.replace("image,text", "File_Name,Title")),
        ("x.csv", lambda text: text.replace("p1.png", ".\\p1.png")),
        ("x.csv", lambda text: text.encode("utf-16").decode("latin-1")),
    ],
    ids=["tab and marks", "marks", "one mark", "semicolons", "empty columns", "other names", "Windows", "UTF-16"],
)
def test_no_row_of_a_sound_table_is_lost(tmp_path, reader, name, change):
    file = written(tmp_path, name, change(GOOD).encode("latin-1"))
    found = reader(file)
    texts = found.texts if hasattr(found, "texts") else found.view2.items
    assert [text.lstrip('"') for text in texts] == [f"text {i}" for i in range(N)]


def test_a_name_composed_otherwise_than_on_the_disk_is_found(tmp_path):
    composed, decomposed = "caf\u00e9.png", "cafe\u0301.png"
    Image.new("RGB", (8, 6)).save(tmp_path / decomposed)
    file = written(tmp_path, "x.csv", f"image,text\n{composed},a fox\n")
    assert [path.name for path in table.read(file).paths] == [decomposed]


def test_a_text_beside_a_picture_may_end_in_capitals(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.PNG")
    (tmp_path / "a.TXT").write_text("a fox", encoding="utf-8")
    assert table.read(tmp_path).texts == ["a fox"]


def test_a_missing_whole_number_in_parquet_is_an_empty_cell(tmp_path):
    labels = pd.array([None, 7, 8], dtype="Int64")
    file = written(tmp_path, "x.csv", GOOD).with_suffix(".parquet")
    pd.DataFrame({"image": ["p0.png", "p1.png", "p2.png"], "text": ["a", "b", "c"], "label": labels}).to_parquet(file)
    assert table.read(file).labels == ["", "7", "8"]
