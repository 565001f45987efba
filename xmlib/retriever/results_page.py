"""A page with what a search found: pictures, players and texts with everything inside, nothing fetched."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xmlib.data.own.pairs import FAULT
from xmlib.data.own.sides import Side
from xmlib.retriever.retriever import Retriever
from xmlib.show import gallery

SHOWN = ("texts", "images", "audio")  # kinds whose items a model folder remembers; of numbers the id must do
# Whatever a text holds, the page runs nothing and asks no other machine for anything.
POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width"><title>Search: {title}</title>
<style>body {{ font-family: sans-serif; margin: 2em auto; max-width: 50em; padding: 0 1em }}
th, td {{ border-bottom: 1px solid #ccc; overflow-wrap: anywhere; padding: 6px; text-align: left }}</style></head>
<body><h1>What was found</h1><p>{query}</p>
<table><tr><th>rank</th><th>score</th><th>id</th><th>item</th></tr>
{rows}
</table></body></html>
"""


def remember(model: Retriever, direction: str, side: Side, ids: Sequence[str], folder: Path | str) -> None:
    """Note with a model what items its index has, besides those noted before, so that a page can show them.

    Texts are kept as they are, of files the paths from `folder`, where the model will be saved.
    """
    if side.kind not in SHOWN:
        forget(model, direction)
        return
    base = Path(folder).expanduser().absolute()
    items = side.items if side.kind == "texts" else [_from(base, path) for path in side.items]
    noted = model.about.setdefault("items", {}).setdefault(direction, {"kind": side.kind, "of": {}})
    noted["of"] |= dict(zip(ids, items, strict=True))


def _from(base: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(Path(path).absolute(), base)).as_posix()
    except ValueError:  # on another drive of Windows
        return str(Path(path).absolute())


def forget(model: Retriever, direction: str, ids: Sequence[Any] | None = None) -> None:
    """Drop what `remember` has noted, of the items with these ids or of all."""
    if ids is None:
        model.about.get("items", {}).pop(direction, None)
        return
    for name in ids:
        model.about.get("items", {}).get(direction, {"of": {}})["of"].pop(name, None)


def named(model: Retriever, folder: Path | str, direction: str, ids: Sequence[Any]) -> list[str]:
    """The text of each item, or the path of its file from the working folder; none where the items are numbers.

    An item of which nothing is noted has an empty text.
    """
    noted = model.about.get("items", {}).get(direction)
    if noted is None:
        return []
    kept, base = [noted["of"].get(one, "") for one in ids], Path(folder).expanduser().absolute()
    return (
        kept
        if noted["kind"] == "texts"
        else [one and _from(Path.cwd(), Path(os.path.normpath(base / one))) for one in kept]
    )


def page(
    model: Retriever, folder: Path | str, direction: str, query: Side, ids: Sequence[Any], scores: Sequence[float]
) -> str:
    """The page as HTML: the query, a side of one item, and a row for each id with its score, best first."""
    noted = model.about.get("items", {}).get(direction, {"kind": "", "of": {}})
    base = Path(folder).expanduser().absolute()
    rows = []
    for rank, (name, score) in enumerate(zip(ids, scores, strict=True), 1):
        shown = _item(noted["kind"], noted["of"].get(name), base)
        cells = (str(rank), f"{score:.3f}", html.escape(str(name)), shown)
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    said = html.escape(str(query.items[0])) if query.kind != "numbers" else html.escape(query.name)
    own = gallery.item(query, 0)
    return PAGE.format(policy=html.escape(POLICY), title=said, query=own, rows="\n".join(rows))


def _item(kind: str, kept: str | None, base: Path) -> str:
    """An item as HTML, or a few words where it cannot be shown."""
    if kept is None:
        return ""
    if kind == "texts":
        return gallery.item(Side(kind, [kept], ""), 0)
    file = Path(os.path.normpath(base / kept))
    if not file.is_file():
        return f"{html.escape(kept)} is not there any more"
    if FAULT[kind](file):
        return f"{html.escape(kept)} cannot be shown"
    return gallery.item(Side(kind, [file], ""), 0)
