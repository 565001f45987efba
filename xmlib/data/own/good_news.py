"""News pictures with captions, in the form of GoodNews: a JSON object of articles.

    {"5523a1": {"images": {"0": "A caption.", "1": "Another."}, "article": "…", "headline": {"main": "…"}}, …}

The picture of caption 0 in article 5523a1 is the file 5523a1_0.jpg.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xmlib.data.own import given, json_file
from xmlib.data.own.items import Items, Row, gather
from xmlib.errors import InputError

WHAT = "a file of articles like GoodNews' captioning_dataset.json"
TEXTS = ("caption", "article", "headline")


def read(
    dataset_file: str | Path,
    *,
    image_folder: str | Path = "",
    split_file: str | Path = "",
    text: str = "caption",
    missing: str = "stop",
) -> Items:
    """The pictures in the order of the file; the pictures of one article are a group.

    `text`: "caption", "article" or "headline". `split_file`: a JSON object from picture ("5523a1_0") to split; pictures
    that it does not name are left out. GoodNews' own split tears articles apart, so it needs `crossing="warn"`.
    Raises InputError for a file of another form, and for pictures that are not there (`missing`: "stop" or "skip").
    """
    if text not in TEXTS:
        raise InputError(f"text {text!r} is unknown; choose one of: {', '.join(TEXTS)}.")
    source = given.path(dataset_file)
    rows = [row for id, article in json_file.read(source, WHAT).items() for row in _rows(id, article, text, source)]
    if split_file:
        rows = _given(rows, given.path(split_file), source)
    return gather(rows, image_folder, source, missing)


def _rows(id: str, article: Any, text: str, source: Path) -> list[Row]:
    """A row for each picture of an article."""
    where = f"article {id!r} in {source}"
    captions = json_file.part(article, "images", dict, where)
    whole = "" if text == "caption" else _whole(article, text, where)
    return [
        Row(f"{id}_{image}.jpg", whole or json_file.part(captions, image, str, where), group=id) for image in captions
    ]


def _whole(article: Any, text: str, where: str) -> str:
    if text == "headline" and isinstance(article.get("headline"), dict):
        return json_file.part(article["headline"], "main", str, f"the headline of {where}")
    return json_file.part(article, text, str, where)


def _given(rows: list[Row], file: Path, source: Path) -> list[Row]:
    """The rows that have a split, with it."""
    splits = json_file.read(file, "a file of splits, {picture: split}")
    named = [row._replace(split=str(splits[row.image[:-4]])) for row in rows if row.image[:-4] in splits]
    if not named:
        raise InputError(f"{file} names no picture of {source}; its keys are to be like {rows[0].image[:-4]!r}."
                         if rows else f"{source} has no pictures.")  # fmt: skip
    return named
