"""Facts about the readers of users' data, each on a small file in the exact form."""

import contextlib
import copyreg
import json
import os
import pickle
import tracemalloc
import zlib
from collections import OrderedDict
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from xmlib.data.own import coco, good_news, own_pairs, politics, safe_pickle, table
from xmlib.data.own.divide import divide
from xmlib.data.pictures import image_features, pictures
from xmlib.errors import InputError
from xmlib.scoring import relevance

pytestmark = pytest.mark.usefixtures("quick_helpers")
LONG = "An article about something. " * 20  # 560 characters
SPLITS = ("train", "valid", "test")


def draw(folder, *names, same=False):
    """A small picture for each name, no two the same unless asked."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        colour = (9, 9, 9) if same else tuple(zlib.crc32(name.encode()).to_bytes(4, "big")[:3])
        Image.new("RGB", (8, 6), colour).save(folder / name)
    return folder


def write(file, content):
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def dump(file, content, protocol=4):
    file.write_bytes(pickle.dumps(content, protocol))
    return file


def refused(call, *parts):
    """The one sentence with which a call is refused; all the parts must be in it."""
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert message.rstrip().endswith(("." if not message.endswith("…") else "…", "'"))
    for part in parts:
        assert part in message
    return message


def texts_of(items):
    """Picture → its texts."""
    return {
        id: [text for text, image in zip(items.texts, items.image_of_text, strict=True) if image == i]
        for i, id in enumerate(items.ids)
    }


# --- tables and folders ---

ROWS = [("a.png", "a red cat", "g1", "cat", "train"), ("b.png", "NA", "g2", "dog", "valid"),
        ("sub/c.png", 'a "blue", big dog\non two lines', "g3", "dog", "test")]  # fmt: skip
HEAD = ["image", "text", "group", "label", "split"]


def save(folder, kind):
    frame = pd.DataFrame(ROWS, columns=HEAD)
    file = folder / f"pairs.{kind}"
    if kind in ("csv", "tsv"):
        frame.to_csv(file, index=False, sep="\t" if kind == "tsv" else ",")
    elif kind == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        frame.to_parquet(file)
    return file


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_gives_the_same_pairs(tmp_path, kind):
    draw(tmp_path, *(row[0] for row in ROWS))
    items = table.read(save(tmp_path, kind))
    assert items.ids == [row[0] for row in ROWS]
    assert items.texts == [row[1] for row in ROWS]  # NA is a text, not a gap
    assert items.labels == [row[3] for row in ROWS]
    assert items.splits == [row[4] for row in ROWS]
    assert items.groups.tolist() == [0, 1, 2]
    assert all(path.is_file() for path in items.paths)


def test_columns_and_the_folder_of_the_pictures_can_be_named(tmp_path):
    draw(tmp_path / "pictures", "a.png", "b.png")
    file = write(tmp_path / "pairs.csv", "\ufeffBild,Titel,text\na.png,eins,x\nb.png,zwei,y\n")
    items = table.read(file, image_folder=tmp_path / "pictures", image_column="Bild", text_column="Titel")
    assert texts_of(items) == {"a.png": ["eins"], "b.png": ["zwei"]}


def test_a_picture_in_several_rows_has_several_texts(tmp_path):
    draw(tmp_path, "a.png", "b.png")
    items = table.read(write(tmp_path / "t.csv", "image,text\na.png,one\nb.png,two\n./a.png,three\n"))
    assert texts_of(items) == {"a.png": ["one", "three"], "b.png": ["two"]}
    assert items.image_of_text.tolist() == [0, 1, 0]


def test_a_folder_pairs_pictures_with_the_texts_of_the_same_name(tmp_path):
    draw(tmp_path, "b.PNG", "sub/a.jpg")
    write(tmp_path / "b.txt", "two")
    write(tmp_path / "sub/a.txt", "one\n")
    items = table.read(tmp_path)
    assert texts_of(items) == {"b.PNG": ["two"], "sub/a.jpg": ["one\n"]}
    assert items.splits == ["", ""]


def test_folders_named_after_splits_are_the_split(tmp_path):
    for name in ("train/a", "val/b", "test/c"):
        draw(tmp_path, f"{name}.png")
        write(tmp_path / f"{name}.txt", name)
    items = table.read(tmp_path)
    assert dict(zip(items.ids, divide(items, 1).tolist(), strict=True)) == {
        "train/a.png": "train", "val/b.png": "valid", "test/c.png": "test"
    }  # fmt: skip


def test_missing_pictures_and_empty_texts_stop_or_are_skipped(tmp_path, capsys):
    draw(tmp_path, "a.png", "b.png")
    lines = "".join(f"gone{i}.png,text\n" for i in range(5))
    file = write(tmp_path / "t.csv", f"image,text\na.png,one\n{lines}")
    refused(lambda: table.read(file), "5 of 6", "gone0.png, gone1.png, gone2.png, …", "set missing to 'skip'")
    assert (table.read(file, missing="skip").ids, table.read(file, missing="skip").skipped) == (["a.png"], 5)
    assert "gone0.png" in capsys.readouterr().err
    empty = write(tmp_path / "e.csv", "image,text\na.png,one\nb.png,  \n")
    refused(lambda: table.read(empty), "1 of 2 texts", "b.png")
    assert table.read(empty, missing="skip").ids == ["a.png"]
    refused(lambda: table.read(empty, missing="maybe"), "'maybe'", "stop, skip")


def test_a_folder_counts_pictures_without_text_and_texts_without_picture(tmp_path):
    draw(tmp_path, "a.png", "b.png")
    write(tmp_path / "a.txt", "one")
    refused(lambda: table.read(tmp_path), "1 of 2 texts", "b.png")
    write(tmp_path / "b.txt", "two")
    write(tmp_path / "c.txt", "three")
    refused(lambda: table.read(tmp_path), "1 of 3 pictures", "c.*")
    assert table.read(tmp_path, missing="skip").ids == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("t.csv", "", ("no two columns",)),
        ("t.csv", "image,text\n", ("no pairs",)),
        ("t.csv", "image,text\na.png,one,two\n", ("cannot be read", "line 2")),
        ("t.csv", "image,text,text\na.png,one,two\n", ("two columns 'text'",)),
        ("t.csv", "drawing,words\na.png,one\n", ("no column 'image'", "drawing, words", "call the one that is meant")),
        ("t.csv", "image,text,split\na.png,one,exam\n", ("'exam'", "train, valid or test")),
        ("t.csv", "image,text,group\na.png,one,1\na.png,two,2\n", ("a.png", "different groups")),
        ("t.jsonl", '{"image": "a.png", "text": "x"}\n{"image": \n', ("line 2", "not JSON")),
        ("t.jsonl", "[1]\n", ("line 1", "list")),
        ("t.jsonl", '{"image": "a.png", "text": ["x"]}\n', ("'text'", "list", "row 1")),
        ("t.parquet", "PAR1 nonsense", ("cannot be read as Parquet",)),
        ("t.xlsx", "?", (".xlsx", ".csv")),
    ],
)
def test_a_table_that_does_not_fit_is_refused_in_one_sentence(tmp_path, name, content, parts):
    draw(tmp_path, "a.png")
    file = write(tmp_path / name, content)
    refused(lambda: divide(table.read(file), 1), *parts)


def test_a_table_in_another_encoding_or_without_the_asked_column_is_refused(tmp_path):
    (tmp_path / "t.jsonl").write_bytes('{"image": "a.png", "text": "Café"}'.encode("latin-1"))
    refused(lambda: table.read(tmp_path / "t.jsonl"), "not in UTF-8")
    file = write(tmp_path / "u.csv", "image,text\na.png,x\n")
    refused(lambda: table.read(file, split_column="part"), "no column 'part'", "image, text")
    refused(lambda: table.read(tmp_path / "none.csv"), "none.csv", "not there")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    def lacking(file):
        raise ImportError

    monkeypatch.setattr(pd, "read_parquet", lacking)
    file = write(tmp_path / "t.parquet", "")
    refused(lambda: table.read(file), "pip install pyarrow")


def test_pictures_with_equal_bytes_or_equal_texts_are_one_group(tmp_path):
    draw(tmp_path, *(f"{i}.png" for i in range(4)))
    draw(tmp_path, "same1.png", "same2.png", same=True)
    names = ["0.png", "1.png", "2.png", "3.png", "same1.png", "same2.png"]
    said = ["A cat", "alone", "a  CAT ", "chained", "chained", "twin"]
    rows = "".join(f"{name},{text}\n" for name, text in zip(names, said, strict=True))
    items = table.read(write(tmp_path / "t.csv", f"image,text\n{rows}"))
    assert items.groups.tolist() == [0, 1, 0, 2, 2, 2]


# --- the split ---


@pytest.fixture
def many(tmp_path):
    """60 pictures in 30 groups."""
    names = [f"{i}.png" for i in range(60)]
    draw(tmp_path, *names)
    rows = "".join(f"{name},text number {i},{i // 2}\n" for i, name in enumerate(names))
    return table.read(write(tmp_path / "t.csv", f"image,text,group\n{rows}"))


def test_whole_groups_go_to_one_split_and_the_seed_decides(many):
    names = divide(many, 23)
    assert [(names == split).sum() for split in SPLITS] == [42, 6, 12]
    assert all(len(set(names[many.groups == group])) == 1 for group in many.groups)
    np.testing.assert_array_equal(names, divide(many, 23))
    assert (names != divide(many, 24)).any()


def test_another_share_for_validation_leaves_the_test_pictures_as_they_are(many):
    np.testing.assert_array_equal(divide(many, 23) == "test", divide(many, 23, valid_share=0.3) == "test")


def test_shares_that_leave_a_split_empty_are_refused(many):
    refused(lambda: divide(many, 1, test_share=0.01), "0 for the test", "test_share=0.01")
    refused(lambda: divide(many, 1, valid_share=2), "valid_share 2")


def given_splits(tmp_path, splits):
    draw(tmp_path, *(f"{i}.png" for i in range(len(splits))))
    rows = "".join(f"{i}.png,text {i},{i // 2},{split}\n" for i, split in enumerate(splits))
    return table.read(write(tmp_path / "t.csv", f"image,text,group,split\n{rows}"))


def test_a_given_test_split_stays_and_validation_is_drawn_by_group_from_training(tmp_path):
    items = given_splits(tmp_path, ["test"] * 4 + ["train"] * 20)
    names = divide(items, 5)
    assert (names[:4] == "test").all()
    assert (names[4:] != "test").all()
    assert (names == "valid").sum() == 2
    assert len(set(items.groups[names == "valid"])) == 1


def test_a_group_in_two_given_splits_stops_or_warns(tmp_path):
    items = given_splits(tmp_path, ["train", "test", "valid", "valid", "train", "train"])
    refused(lambda: divide(items, 1), "1 groups", "0.png in train", "1.png in test", "crossing='warn'")
    with pytest.warns(UserWarning, match=r"0\.png in train and 1\.png in test"):
        names = divide(items, 1, crossing="warn")
    assert names.tolist() == ["train", "test", "valid", "valid", "train", "train"]


def test_a_split_that_is_given_for_some_pictures_only_is_refused(tmp_path):
    items = given_splits(tmp_path, ["train", "train", "", "test"])
    refused(lambda: divide(items, 1), "1 pictures", "empty")


# --- COCO ---


def coco_file(folder, images=3, captions=2, name="captions.json", first=0):
    numbers = range(first, first + images)
    draw(folder, *(f"COCO_{i:012}.png" for i in numbers))
    content = {
        "info": {"description": "COCO"},
        "images": [{"id": 900 - i, "file_name": f"COCO_{i:012}.png", "height": 6, "width": 8} for i in numbers],
        "annotations": [
            {"id": 10 * i + k, "image_id": 900 - i, "caption": f"caption {k} of {i}"}
            for k in range(captions) for i in reversed(numbers)
        ],
    }  # fmt: skip
    return write(folder / name, content), content


def test_coco_keeps_the_order_of_pictures_and_all_their_captions(tmp_path):
    file, _ = coco_file(tmp_path)
    items = coco.read(file)
    assert [path.name for path in items.paths] == [f"COCO_{i:012}.png" for i in range(3)]
    assert items.texts == [f"caption {k} of {i}" for i in range(3) for k in range(2)]
    assert items.image_of_text.tolist() == [0, 0, 1, 1, 2, 2]
    assert coco.read(file, captions_per_image=1).texts == [f"caption 0 of {i}" for i in range(3)]


def test_coco_takes_the_test_from_a_second_file(tmp_path):
    train, _ = coco_file(tmp_path, images=12)
    test, _ = coco_file(tmp_path, name="val.json", first=50)
    names = divide(coco.read(train, test_file=test), 1)
    assert (names[12:] == "test").all()
    assert [(names == split).sum() for split in SPLITS] == [10, 2, 3]


def test_coco_in_karpathys_form_brings_its_split(tmp_path):
    splits = ["train", "restval", "val", "test"]
    draw(tmp_path, *(f"val2014/{i}.png" for i in range(4)))
    images = [
        {"filepath": "val2014", "filename": f"{i}.png", "split": split, "cocoid": i, "sentids": [2 * i, 2 * i + 1],
         "sentences": [{"raw": f"text {k} of {i}", "tokens": [], "imgid": i, "sentid": 2 * i + k} for k in (0, 1)]}
        for i, split in enumerate(splits)
    ]  # fmt: skip
    items = coco.read(write(tmp_path / "dataset_coco.json", {"dataset": "coco", "images": images}))
    assert divide(items, 1).tolist() == ["train", "train", "valid", "test"]
    assert items.texts[:2] == ["text 0 of 0", "text 1 of 0"]


def test_equal_captions_do_not_tie_pictures_of_coco_but_equal_pictures_do(tmp_path):
    file, content = coco_file(tmp_path, captions=1)
    for annotation in content["annotations"]:
        annotation["caption"] = "A man on a horse."
    assert coco.read(write(file, content)).groups.tolist() == [0, 1, 2]
    draw(tmp_path, "COCO_000000000000.png", "COCO_000000000002.png", same=True)
    assert coco.read(file).groups.tolist() == [0, 1, 0]


def test_a_coco_file_that_does_not_fit_is_refused(tmp_path):
    file, content = coco_file(tmp_path)
    orphan = {**content, "annotations": [*content["annotations"], {"id": 1, "image_id": 77, "caption": "x"}]}
    refused(lambda: coco.read(write(file, orphan)), "1 images that it does not list", "77")
    refused(lambda: coco.read(write(file, {**content, "images": "none"})), "type str under 'images'", "list")
    refused(lambda: coco.read(write(file, {"images": []})), "nothing under 'annotations'")
    refused(lambda: coco.read(write(file, [])), "type list", "captions_val2014.json")
    refused(lambda: coco.read(write(file, "{")), "not JSON")
    refused(lambda: coco.read(tmp_path / "none.json"), "none.json", "No such file")
    (tmp_path / "COCO_000000000001.png").unlink()
    refused(lambda: coco.read(write(file, content)), "1 of 3 pictures", "COCO_000000000001.png")
    assert len(coco.read(file, missing="skip").texts) == 4


# --- GoodNews ---

ARTICLES = {
    "5523a1": {"images": {"0": "The mayor.", "2": "Her office."}, "article": "Long story one.",
               "article_url": "https://example.org", "headline": {"main": "Mayor speaks"}},
    "5523b2": {"images": {"0": "A match."}, "article": "Long story two.", "headline": {"main": "They won"}},
}  # fmt: skip


@pytest.fixture
def news(tmp_path):
    draw(tmp_path, "5523a1_0.jpg", "5523a1_2.jpg", "5523b2_0.jpg")
    return write(tmp_path / "captioning_dataset.json", ARTICLES)


def test_pictures_of_one_article_are_a_group(news):
    items = good_news.read(news)
    assert texts_of(items) == {
        "5523a1_0.jpg": ["The mayor."], "5523a1_2.jpg": ["Her office."], "5523b2_0.jpg": ["A match."]
    }  # fmt: skip
    assert items.groups.tolist() == [0, 0, 1]


def test_the_text_may_be_the_article_or_the_headline(news):
    assert good_news.read(news, text="article").texts == ["Long story one.", "Long story one.", "Long story two."]
    assert good_news.read(news, text="headline").texts == ["Mayor speaks", "Mayor speaks", "They won"]
    refused(lambda: good_news.read(news, text="url"), "'url'", "caption, article, headline")


def test_a_split_by_picture_tears_articles_apart_and_is_said(news, tmp_path):
    splits = write(tmp_path / "splits.json", {"5523a1_0": "train", "5523a1_2": "test", "other_0": "val"})
    items = good_news.read(news, split_file=splits)
    assert items.ids == ["5523a1_0.jpg", "5523a1_2.jpg"]
    refused(lambda: divide(items, 1), "5523a1_0.jpg in train", "5523a1_2.jpg in test")
    other = write(tmp_path / "others.json", {"x": "train"})
    refused(lambda: good_news.read(news, split_file=other), "names no picture", "5523a1_0")


def test_articles_in_another_form_are_refused(news):
    refused(lambda: good_news.read(write(news, {"a": {"images": ["x"]}})), "'a'", "type list under 'images'", "dict")
    refused(lambda: good_news.read(write(news, {"a": {"images": {"0": None}}})), "'a'", "nothing under '0'")
    refused(lambda: good_news.read(write(news, {"a": 3})), "'a'", "'images'")


# --- Politics, and pickles ---

DATABASE = {
    "left": {"immigration": [{"local_path": "left/1.png", "content_text": LONG + "1", "date": "2018"},
                             {"local_path": "left/2.png", "content_text": "short"}]},
    "right": {"guns": [{"local_path": "right/3.png", "content_text": LONG + "3"},
                       {"local_path": "left/1.png", "content_text": LONG + "again"},
                       {"local_path": "right/4.png", "content_text": LONG + "4"}]},
}  # fmt: skip


@pytest.fixture
def press(tmp_path):
    return draw(tmp_path, "left/1.png", "left/2.png", "right/3.png", "right/4.png")


def test_the_complete_database_gives_articles_of_more_than_500_characters(press):
    file = dump(press / "complete_db.pickle", DATABASE)
    items = politics.read(file)
    assert texts_of(items) == {
        "left/1.png": [LONG + "1", LONG + "again"], "right/3.png": [LONG + "3"], "right/4.png": [LONG + "4"]
    }  # fmt: skip
    assert items.labels == ["immigration", "guns", "guns"]
    assert politics.read(file, label="side").labels == ["left", "right", "right"]
    exactly = {"left": {"x": [{"local_path": "left/1.png", "content_text": "y" * 500}]}}
    refused(lambda: politics.read(dump(file, exactly)), "no pairs")


def test_the_list_of_pairs_is_read_whole_with_its_split(press):
    pairs = [("left/1.png", "one"), ("left/2.png", "two"), ("right/3.png", "three"), ("right/4.png", "")]
    file = dump(press / "db.pickle", pairs)
    split = dump(press / "train_test_paths.pickle", {"train": ["left/1.png"], "test": ["right/3.png", "x"]})
    assert politics.read(file).ids == ["left/1.png", "left/2.png", "right/3.png"]
    items = politics.read(file, split_file=split)
    assert (items.ids, items.splits) == (["left/1.png", "right/3.png"], ["train", "test"])
    both = dump(press / "both.pickle", {"train": ["left/1.png"], "test": ["left/1.png"]})
    refused(lambda: politics.read(file, split_file=both), "1 paths in both", "left/1.png")
    refused(lambda: politics.read(file, split_file=dump(press / "e.pickle", {"train": []})), "nothing under 'test'")


def test_pickles_in_another_form_are_refused(press):
    file = press / "db.pickle"
    refused(lambda: politics.read(dump(file, 3)), "type int")
    refused(lambda: politics.read(dump(file, [("a.png",)])), "item 0", "pair")
    refused(lambda: politics.read(dump(file, {"left": [1]})), "type list under 'left'")
    refused(lambda: politics.read(dump(file, {"left": {"guns": [{"local_path": "a"}]}})), "'guns'", "'content_text'")
    refused(lambda: politics.read(file, label="author"), "'author'", "issue, side")


class Harm:
    """What a pickle calls when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def poison(kind, marker):
    """A pickle in the form of the database that makes a folder when it is loaded."""
    place = str(marker)
    quoted = f"(S'{place}'\n".encode()
    item = {"local_path": "left/1.png", "content_text": LONG}
    shell, code = Harm(os.system, f"mkdir {place}"), Harm(eval, f"__import__('os').mkdir({place!r})")
    if kind.startswith("shell"):
        return pickle.dumps({"left": {"guns": [{**item, "more": shell}]}}, int(kind[-1]))
    if kind.startswith("eval"):
        return pickle.dumps({"left": {"guns": [item, {**item, "content_text": [({"deep": code},)]}]}}, int(kind[-1]))
    raw = {
        "GLOBAL": b"}(S'left'\ncos\nmkdir\n" + quoted + b"tRu.",
        "INST": b"}(S'left'\n" + quoted + b"ios\nmkdir\nu.",
        "OBJ": b"}(S'left'\n(cos\nmkdir\n" + quoted[1:] + b"ou.",
        "STACK_GLOBAL": b"\x80\x04}(S'left'\n\x8c\x02os\x8c\x05mkdir\x93" + quoted + b"tRu.",
        "EXT1": b"\x80\x02}(S'left'\n\x82\xf1" + quoted + b"tRu.",
    }
    return raw[kind]


KINDS = [*(f"{kind}{protocol}" for kind in ("shell", "eval") for protocol in range(6)),
         "GLOBAL", "INST", "OBJ", "STACK_GLOBAL", "EXT1"]  # fmt: skip


@pytest.fixture
def extension():
    """A function under an extension code that the pickle module has met before, and so would not ask about."""
    copyreg.add_extension("os", "mkdir", 0xF1)
    assert pickle.loads(b"\x80\x02\x82\xf1.") is os.mkdir
    yield
    copyreg.remove_extension("os", "mkdir", 0xF1)
    copyreg.clear_extension_cache()


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_that_would_run_code_is_refused_and_leaves_no_trace(press, extension, kind):
    marker = press / "marker"
    file = press / "complete_db.pickle"
    file.write_bytes(poison(kind, marker))
    before = sorted(press.rglob("*"))
    refused(lambda: politics.read(file), "refused", "nothing in it was run", str(file))
    refused(lambda: politics.read(dump(press / "ok.pickle", DATABASE), split_file=file), "refused")
    (press / "ok.pickle").unlink()
    assert sorted(press.rglob("*")) == before
    pickle.loads(file.read_bytes())  # it does harm to who loads it otherwise
    assert marker.is_dir()


@pytest.mark.parametrize(
    ("content", "named"),
    [(OrderedDict(a=1), "collections.OrderedDict"), (datetime(2018, 1, 1), "datetime.datetime"),
     (np.zeros(2), "numpy"), (len, "builtins.len"), (np.float64(1), "numpy")],
)  # fmt: skip
def test_what_is_no_plain_data_is_refused_by_its_name(tmp_path, content, named):
    for protocol in (2, 4):
        refused(lambda p=protocol: safe_pickle.load(dump(tmp_path / "x.pickle", content, p)), named.split(".")[-1])


@pytest.mark.parametrize(
    "raw",
    [b"Pname\n.", b"S'name'\nQ.", b"\x80\x02]}b.", b"N)R.", b"(No.", b"\x80\x02N)\x81.", b"\x80\x04N)}\x92.",
     b"\x80\x05\x96\x01\0\0\0\0\0\0\0a."],
)  # fmt: skip
def test_persistent_objects_calls_and_bytearrays_are_refused(tmp_path, raw):
    (tmp_path / "x.pickle").write_bytes(raw)
    refused(lambda: safe_pickle.load(tmp_path / "x.pickle"), "refused", "it asks for 'a ")


@pytest.mark.parametrize(
    "raw",
    [b"]q\x00", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fab.", b"T\xff\xff\xff\xffab.", b"h\x05.", b"t.", b".",
     b"\x86.", b"}(]K\x01u.", b"N]a.", b"I9\n", b"\xff.", b"S'a\n.", b"(K\x01d.", b"a.", b"Iabc\n.", b"I\xd9\n.",
     b"L" + b"9" * 5000 + b"L\n.", b"\x80\x05\x97."],
)  # fmt: skip
def test_a_damaged_pickle_is_refused_in_one_sentence(tmp_path, raw):
    (tmp_path / "x.pickle").write_bytes(raw)
    refused(lambda: safe_pickle.load(tmp_path / "x.pickle"), "no whole pickle")


def test_an_empty_or_missing_pickle_is_refused(tmp_path):
    (tmp_path / "x.pickle").touch()
    refused(lambda: safe_pickle.load(tmp_path / "x.pickle"), "empty")
    refused(lambda: safe_pickle.load(tmp_path / "y.pickle"), "y.pickle", "No such file")
    refused(lambda: safe_pickle.load(tmp_path), "is a folder, a pipe or a device")


SIZES = {"LONG_BINPUT": b"]r\xff\xff\xff\xff", "PUT": b"]p999999999999999999\n", "BINSTRING": b"T\xff\xff\xff\x7f",
         "LONG4": b"\x8b\xff\xff\xff\x7f", "FRAME": b"\x95", "BINUNICODE8": b"\x8d", "BINBYTES8": b"\x8e",
         "BYTEARRAY8": b"\x96"}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_a_size_or_a_number_that_a_pickle_claims_takes_no_memory(tmp_path, name):
    claimed = SIZES[name] + (2**40).to_bytes(8, "little") * (len(SIZES[name]) == 1)
    (tmp_path / "x.pickle").write_bytes(b"\x80\x05" + claimed + b".")
    tracemalloc.start()
    if name.endswith("PUT"):
        assert safe_pickle.load(tmp_path / "x.pickle") == []
    else:
        refused(lambda: safe_pickle.load(tmp_path / "x.pickle"), "x.pickle")
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


def test_a_pickle_larger_than_the_free_memory_can_hold_is_refused(tmp_path, monkeypatch):
    dump(tmp_path / "x.pickle", ["text" * 1000])
    free = (tmp_path / "x.pickle").stat().st_size * safe_pickle.ROOM
    monkeypatch.setattr(safe_pickle.psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    assert safe_pickle.load(tmp_path / "x.pickle") == ["text" * 1000]
    monkeypatch.setattr(safe_pickle.psutil, "virtual_memory", lambda: SimpleNamespace(available=free - 1))
    refused(lambda: safe_pickle.load(tmp_path / "x.pickle"), "MB are free", "a machine with more")


def test_keys_that_double_from_tuple_to_tuple_take_no_time(tmp_path):
    (tmp_path / "x.pickle").write_bytes(b"\x80\x02})" + b"2\x86" * 100 + b"K\x01s.")
    refused(lambda: safe_pickle.load(tmp_path / "x.pickle"), "type tuple cannot be a key")


def test_keys_nested_a_hundred_thousand_deep_do_not_end_the_process(tmp_path):
    (tmp_path / "x.pickle").write_bytes(b"\x80\x02})" + b"\x85" * 100_000 + b"K\x01s.")
    refused(lambda: safe_pickle.load(tmp_path / "x.pickle"), "type tuple cannot be a key")


def test_pickles_of_python_2_are_read(tmp_path):
    raw = {  # pickle.dumps({"a": [u"é", "caf\xc3\xa9", 5L, True, None, 1.5, (1, 2)]}, protocol) there
        0: b"(dp0\nS'a'\np1\n(lp2\nV\xe9\np3\naS'caf\\xc3\\xa9'\np4\naL5L\naI01\naNaF1.5\na(I1\nI2\ntp5\nas.",
        2: b"\x80\x02}q\x00U\x01aq\x01]q\x02(X\x02\x00\x00\x00\xc3\xa9q\x03U\x05caf\xc3\xa9q\x04\x8a\x01\x05\x88N"
        b"G?\xf8\x00\x00\x00\x00\x00\x00K\x01K\x02\x86q\x05es.",
    }
    for content in raw.values():
        (tmp_path / "x.pickle").write_bytes(content)
        assert safe_pickle.load(tmp_path / "x.pickle") == {"a": ["é", "café", 5, True, None, 1.5, (1, 2)]}
        assert pickle.loads(content, encoding="utf-8") == {"a": ["é", "café", 5, True, None, 1.5, (1, 2)]}


atoms = some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text() | some.binary()
plain = some.recursive(
    atoms,
    lambda inner: some.lists(inner) | some.tuples(inner, inner) | some.dictionaries(atoms, inner)
    | some.sets(atoms) | some.frozensets(atoms),
    max_leaves=20,
)  # fmt: skip


def alike(a, b):
    """Whether two objects are equal in every part and in every kind: 1 is not True here."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return len(a) == len(b) and all(map(alike, a.items(), b.items()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, (set, frozenset)):
        return a == b and sorted(map(repr, a)) == sorted(map(repr, b))
    return a == b


@settings(max_examples=50, deadline=None)
@given(content=plain, protocol=some.sampled_from([4, 5]))
def test_plain_data_comes_back_as_the_pickle_module_gives_it(tmp_path_factory, content, protocol):
    file = tmp_path_factory.getbasetemp() / "plain.pickle"
    found = safe_pickle.load(dump(file, content, protocol))
    assert alike(found, pickle.loads(file.read_bytes()))


@pytest.mark.parametrize("protocol", range(6))
def test_lists_dictionaries_texts_and_numbers_come_back_from_every_protocol(tmp_path, protocol):
    shared = ["again"]
    content = {"a": [1, -1, 300, 70_000, 2**40, -(2**900), 1.5, True, False, None, "é\n'\"\\ \u20ac \U0001f600", ""],
               "b": ((), (1,), (1, 2), (1, 2, 3), tuple(range(9))),
               "c": shared, "d": shared, 5: {(1, 2): {}}}  # fmt: skip
    found = safe_pickle.load(dump(tmp_path / "x.pickle", content, protocol))
    assert repr(found) == repr(content)
    assert found["c"] is found["d"]


# --- all the way to splits ---


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Splits of 24 pictures with two captions each, and the folder they come from."""
    folder = tmp_path_factory.mktemp("whole")
    _, content = coco_file(folder, images=24)
    words = ["red", "blue", "green", "cat", "dog"]
    for annotation in content["annotations"]:
        annotation["caption"] += f" {words[annotation['image_id'] % 5]} {words[annotation['id'] % 3]}"
    file = write(folder / "captions.json", content)
    return own_pairs.load("coco", "toy", 3, dataset_file=file, cache_folder=folder / "cache", processes=1), file


def test_a_row_is_a_text_with_the_features_of_its_picture(whole):
    splits, file = whole
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [34, 4, 10]
    test, items = splits.test, coco.read(file)
    assert test.ids[:2] == [f"{test.ids[0].split('#')[0]}#0", f"{test.ids[0].split('#')[0]}#1"]
    assert test.image_of_text.tolist() == [i // 2 for i in range(10)]
    np.testing.assert_array_equal(test.view1[0], test.view1[1])
    assert (test.view1[0] != test.view1[2]).any()
    picture = items.paths[items.ids.index(test.ids[4].split("#")[0])]
    colour = np.asarray(Image.open(picture))[0, 0]
    assert np.abs(test.pictures[4][48, 48].astype(int) - colour).max() <= 1
    assert test.texts[4] in texts_of(items)[picture.name]


def test_pictures_with_several_captions_are_measured_as_such_in_one_gallery_or_five(whole):
    owner = whole[0].test.image_of_text
    captions = torch.eye(5, dtype=torch.float64)[torch.from_numpy(owner)]  # each is what its picture is
    pictures_once = captions[np.unique(owner, return_index=True)[1]]
    for folds in (1, 5):
        found = relevance.captions_both_ways(pictures_once, captions, owner, folds)
        assert [found[way]["r1"] for way in found] == [100, 100]
    turned = relevance.captions_both_ways(pictures_once.roll(1, 0), captions, owner)
    assert [turned[way]["r1"] for way in turned] == [0, 0]
    assert {found["mean_rank"] for found in turned.values()} != {1}


def test_the_vocabulary_comes_from_the_training_texts_alone(whole):
    splits, _ = whole
    lengths = np.linalg.norm(splits.train.view2[:], axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    assert splits.train.view2.shape == splits.test.view2.shape
    assert (splits.train.view2[:] > 0).sum(0).min() >= 2  # every word is in two training texts, whatever others say


def test_the_same_file_gives_the_same_digest_and_another_seed_another(whole):
    splits, file = whole
    options = {"dataset_file": file, "cache_folder": file.parent / "cache", "processes": 1}
    assert own_pairs.load("coco", "toy", 3, **options).digest == splits.digest
    assert own_pairs.load("coco", "toy", 4, **options).digest != splits.digest
    assert str(file.parent) not in json.dumps(splits.settings)


@pytest.fixture
def quick_features(monkeypatch):
    """In place of the network's features: the mean colour."""

    def of_files(files, home, processes):
        found = {}
        for i, file in enumerate(files):
            with contextlib.suppress(pictures.NoPicture):
                found[i] = pictures.read(file, 8)
        stacked = np.stack(list(found.values()))
        return stacked.mean((1, 2)).astype(np.float32), stacked, list(found)

    monkeypatch.setattr(image_features, "of_files", of_files)


def test_a_file_that_is_no_picture_stops_or_is_skipped(tmp_path, quick_features):
    draw(tmp_path, *(f"{i}.png" for i in range(12)))
    write(tmp_path / "5.png", "not a picture")
    rows = "".join(f"{i}.png,text about number n{i % 3} and {i} things\n" for i in range(12))
    options = {"dataset_file": write(tmp_path / "t.csv", f"image,text\n{rows}")}
    refused(lambda: own_pairs.load("table", "toy", 1, **options), "1 of 12 files", "5.png", "set missing to 'skip'")
    splits = own_pairs.load("table", "toy", 1, missing="skip", **options)
    kept = [*splits.train.ids, *splits.valid.ids, *splits.test.ids]
    assert sorted(kept) == sorted(f"{i}.png" for i in range(12) if i != 5)
    assert splits.test.image_of_text is None
    assert splits.settings["skipped"] == 1
    for part in (splits.train, splits.valid, splits.test):
        assert all(text.split()[-2] == id.removesuffix(".png") for id, text in zip(part.ids, part.texts, strict=True))


def test_bad_options_are_named_before_any_picture_is_read(many, tmp_path, monkeypatch):
    monkeypatch.setattr(image_features, "of_files", lambda *_: pytest.fail("pictures were read"))
    file = tmp_path / "t.csv"
    refused(lambda: own_pairs.load("table", "toy", 1), "dataset_file")
    refused(lambda: own_pairs.load("table", "toy", 1, file, colour=1), "'colour'", "image_folder", "test_share")
    refused(lambda: own_pairs.load("table", "toy", -1, file), "seed -1")
    refused(lambda: own_pairs.load("table", "toy", 1, file, test_share=0), "test_share 0")


def test_texts_without_a_common_word_are_refused(tmp_path, quick_features):
    draw(tmp_path, *(f"{i}.png" for i in range(12)))
    rows = "".join(f"{i}.png,word{i}\n" for i in range(12))
    file = write(tmp_path / "t.csv", f"image,text\n{rows}")
    refused(lambda: own_pairs.load("table", "toy", 1, file), "2 of the", "texts")
