"""Models of one's own in the explorer of the book: a page with everything inside, which fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from xmlib import evaluate
from xmlib.data.own import ready
from xmlib.data.own.pairs import FAULT, Pairs
from xmlib.data.own.sides import Side
from xmlib.errors import InputError
from xmlib.methods import METHODS
from xmlib.retriever import results_page
from xmlib.retriever.retriever import BACKWARD, FORWARD, Retriever
from xmlib.scoring import captions
from xmlib.show import explorer, gallery

KINDS = {"texts": ("text", "text"), "images": ("picture", "picture"), "audio": ("sound", "sound")}
STYLE = """body { font-family: sans-serif; line-height: 1.5; margin: 0 auto; max-width: 80rem;
  padding: 0 1rem; color: #222 }
@media (prefers-color-scheme: dark) {
  body { background: #14181e; color: #ced6dd; --pst-color-border: #48566b; --pst-color-surface: #29313d;
    --pst-color-text-base: #ced6dd; --pst-color-text-muted: #a5adb8; --pst-color-background: #14181e;
    --pst-color-primary: #5fb1d8 }
  .explorer { --right: #3ecf9f; --uneven: #ffb000 }
}"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width"><title>Explorer: {title}</title><style>{style}</style></head>
<body><main><h1>{title}</h1><p>{said}</p><div id="explorer" class="explorer"></div></main>
<script type="application/json" id="explorer-data">{data}</script><script>{script}</script></body></html>
"""


class Asked(NamedTuple):
    """Pairs to look at: their `ids`, what is seen of each view, and each model's embeddings (n, k) of both views.

    `file`, (n,): equal for pairs that share the item of the view `shared`, 1 or 2; 0 where none do.
    """

    ids: list[str]
    views: list[Side]
    embedded: list[tuple[Tensor, Tensor]]
    shared: int
    file: np.ndarray


def of_pairs(models: Sequence[Retriever], pairs: Pairs) -> Asked:
    """These pairs, embedded by each model."""
    embedded = [
        (torch.from_numpy(m.embed1(pairs.view1.items)), torch.from_numpy(m.embed2(pairs.view2.items))) for m in models
    ]
    shared, file = ready.shared(pairs) or (0, np.arange(len(pairs)))
    return Asked(pairs.ids, [pairs.view1, pairs.view2], embedded, shared, file)


def of_folders(models: Sequence[Retriever], folders: Sequence[Path]) -> Asked:
    """The held-out pairs of the first model, as their indexes have them; all pairs where it knows of none.

    Raises `InputError` where a model has no index of both views with these pairs.
    """
    rows = [[{str(one): i for i, one in enumerate(_index(m, f, way).ids)} for way in (BACKWARD, FORWARD)]
            for m, f in zip(models, folders, strict=True)]  # fmt: skip
    both = [one for one in rows[0][0] if one in rows[0][1]]
    held = set(models[0].about.get("held_out", both))
    ids = [one for one in both if one in held]
    embedded = []
    for model, folder, places in zip(models, folders, rows, strict=True):
        if not ids or any(one not in place for place in places for one in ids):
            raise InputError(f"{folder} has no index of these pairs in both views: give pairs by --view1 or --table.")
        indexes = [(model.indexes[way], place) for way, place in zip((BACKWARD, FORWARD), places, strict=True)]
        x, y = (torch.from_numpy(i.vectors[[place[one] for one in ids], : i.width]) for i, place in indexes)
        embedded.append((x, y))
    views = [_noted(models[0], folders[0], way, ids) for way in (BACKWARD, FORWARD)]
    return Asked(ids, views, embedded, 0, np.arange(len(ids)))


def _index(model: Retriever, folder: Path, way: str) -> Any:
    if way not in model.indexes:
        raise InputError(f"{folder} has no index of both views: give pairs by --view1 and --view2, or by --table.")
    return model.indexes[way]


def _noted(model: Retriever, folder: Path, way: str, ids: Sequence[str]) -> Side:
    """The items that the folder remembers, or their ids."""
    noted = model.about.get("items", {}).get(way, {"kind": "texts", "of": {}})
    kept = [noted["of"].get(one, "") for one in ids]
    if noted["kind"] == "texts":
        return Side("texts", [text or one for text, one in zip(kept, ids, strict=True)], "")
    return Side(noted["kind"], [folder.expanduser().absolute() / one for one in kept], "")


def page(models: Sequence[Retriever], names: Sequence[str], asked: Asked, said: str, queries: int = 40) -> str:
    """The page as HTML: so many queries in both directions, what each model finds, the ranks of the right answers."""
    described = json.dumps({"sets": [_set(models, names, asked, queries)], "missing": []}, ensure_ascii=False)
    style, script = (file.read_text("utf-8") for file in explorer.FILES)
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return PAGE.format(
        policy=html.escape(f"{results_page.POLICY}; script-src 'sha256-{own}'"), title=html.escape(", ".join(names)),
        said=html.escape(said), style=style + STYLE, script=script, data=described.replace("<", "\\u003c"),
    )  # fmt: skip


def _set(models: Sequence[Retriever], names: Sequence[str], asked: Asked, most: int) -> dict[str, Any]:
    first = np.sort(np.unique(asked.file, return_index=True)[1])  # of pairs that share a file, the first asks
    chosen = np.sort(np.random.default_rng(0).permutation(first)[:most]).tolist()
    offered = [first if asked.shared == found else np.arange(len(asked.ids)) for found in (2, 1)]
    right = [[rows[asked.file[rows] == asked.file[q]].tolist() for q in chosen] for rows in offered]
    found = [captions.both_ways(x, y, asked.shared, asked.file) if asked.shared else evaluate.both_ways(x, y)
             for x, y in asked.embedded]  # fmt: skip
    each = zip(models, names, asked.embedded, found, strict=True)
    runs = [_run(*one, chosen, offered, right) for one in each]
    ranks = [[np.asarray(one["ranks"][way])[first] for one in found] for way in evaluate.DIRECTIONS]
    ways = [way for run in runs for way in run["ways"]]
    found_rows = [row for way in ways for top in way["top"] for row in top]
    rows = list(dict.fromkeys([*chosen, *found_rows, *(row for way in right for query in way for row in query)]))
    number = {row: i for i, row in enumerate(rows)}
    for way in ways:
        way["top"] = [[number[row] for row in top] for top in way["top"]]
        way["first"] = [number[row] for row in way["first"]]
    return {
        "name": "own", "own": True, "title": "", "columns": 1, "labels": [asked.ids[row] for row in rows], "sounds": [],
        "views": [_view(side, rows, f"view {i}") for i, side in enumerate(asked.views, 1)],
        "candidates": [len(rows) for rows in offered], "queries": len(chosen), "runs": runs,
        "right": [[[number[row] for row in rows] for rows in way] for way in right],
        "alone": [explorer.alone(way) for way in ranks],
    }  # fmt: skip


def _run(
    model: Retriever, name: str, embedded: tuple[Tensor, Tensor], found: dict[str, Any],
    chosen: list[int], offered: list[np.ndarray], right: list[list[list[int]]],
) -> dict[str, Any]:  # fmt: skip
    x, y = embedded
    ways = []
    for way, (asking, answers), rows, good in zip(evaluate.DIRECTIONS, ((x, y), (y, x)), offered, right, strict=True):
        top = explorer.best(asking[chosen], answers[rows])
        scores = explorer.cosines(asking[chosen], answers[rows], top)
        best = [own[int((answers[own] @ asking[q]).argmax())] for q, own in zip(chosen, good, strict=True)]
        ranks = [found["ranks"][way][q] for q in chosen]
        mrr = found["metrics"][way]["mrr"]
        ways.append({"mrr": mrr, "ranks": ranks, "top": rows[top].tolist(), "scores": scores, "first": best})
    method, history = METHODS.get(model.method), model.about.get("history", [])
    return {
        "method": model.method, "title": f"{method.title if method else 'Linear CCA'} in {name}", "profile": "",
        "pairs": model.about.get("pairs", 0), "seed": model.about.get("seed"), "ending": "", "planned": None,
        "epochs": len(history) or None, "map": explorer.layout(x[chosen], y[chosen]), "ways": ways,
    }  # fmt: skip


def _view(side: Side, rows: Sequence[int], name: str) -> dict[str, Any]:
    """What data says of a view: words for every item, and the picture or sound of those that have one."""
    kind, one = KINDS.get(side.kind, ("picture", "item"))
    described = {"kind": kind, "name": name, "one": one, "count": len(rows), "tile": [1, 1]}
    if side.kind == "texts":
        return described | {"words": [gallery.shortened(side.items[row]) for row in rows]}
    if side.kind == "numbers":
        lines = [gallery.line(side, row) for row in rows]
        pictured = [gallery.address("image/svg+xml", one.encode()) if "<svg" in one else None for one in lines]
        return described | {"words": [f"row {row + 1}" for row in rows], "pictures": pictured}
    there = [Path(side.items[row]) for row in rows]
    shown = [path.is_file() and not FAULT[side.kind](path) for path in there]
    made = [gallery.media(side.kind, path) if good else None for path, good in zip(there, shown, strict=True)]
    words = [path.name if good else f"{path.name} cannot be shown" for path, good in zip(there, shown, strict=True)]
    return described | {"words": words, "pictures" if side.kind == "images" else "audio": made}
