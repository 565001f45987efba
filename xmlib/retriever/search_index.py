"""The nearest of many embeddings to a query: by all products below a measured size, by nmslib's HNSW graph above."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor

from xmlib import evaluate
from xmlib.errors import InputError
from xmlib.neighborhoods.neighbors import _nmslib
from xmlib.retriever import folder as folders
from xmlib.scoring import hubness

# On one thread, with 64 dimensions (benchmarks/search.py): of 100,000 items a query takes 5 ms by products and 1 ms by
# a graph, and among a thousand queries 0.6 and 0.3 ms. A graph takes over a minute to make, which is worth it from some
# 20,000 single queries on. Products grow with the items: up to here an answer is
# there in about 10 ms, carried on from what was measured at 100,000.
EXACT_UP_TO = 200_000
GRAPH = {"M": 16, "efConstruction": 200, "post": 0, "indexThreadQty": 1}  # more threads give another graph each time
SEARCH = 100  # candidates that the graph keeps while it searches; at least 4·k
STALE = 0.1  # of a graph's items: when so many were added or removed since, it is made anew
KINDS = ("auto", "exact", "hnsw")
LARGEST = 0.5  # half a mean of cosines: what a correction takes off at most
Ids = Sequence[str | int]


class SearchIndex:
    """Embeddings (n, k) of unit length with an id each, to be searched by cosine.

    `kind`: "exact", "hnsw", or "auto" for exact up to `EXACT_UP_TO` items. HNSW asks a graph for candidates, which are
    scored exactly. Items added to a graph are scored by products until there are enough for a new graph.
    `bank`: embeddings (m, k) of training items of the query's view; every score is then lowered by half the mean of the
    item's ten best cosines with the bank (CSLS), so that hubs, which many queries find, come less often.
    Raises `InputError` for rows that are not finite or not of unit length, repeated ids, and a wrong number of ids.
    """

    def __init__(self, vectors: Any, ids: Ids, kind: str = "auto", bank: Any = None):
        if kind not in KINDS:
            raise InputError(f"There is no kind of index {kind!r}; choose one of {', '.join(KINDS)}.")
        self.kind, self.bank, self.ids = kind, None if bank is None else _rows("bank", bank), []
        self.width = (np.shape(vectors) or (0,))[-1]
        if self.bank is not None and self.bank.shape[1] != self.width:
            raise InputError(f"The bank has {self.bank.shape[1]} dimensions, but the items have {self.width}.")
        self.vectors = np.zeros((0, self.width + (bank is not None)), dtype=np.float32)
        self.graph: Any = None
        self.alive = np.zeros(0, dtype=bool)  # which items of the graph are still there
        self.add(vectors, ids)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, vectors: Any, ids: Ids) -> None:
        """Put in more items, (m, k) with an id each; errors as of the class, and the index stays as it was."""
        rows, ids = _rows("items", vectors), [_plain(one) for one in ids]
        if len(rows) != len(ids) or rows.shape[1] != self.width:
            raise InputError(
                f"An index with {self.width} dimensions was given {len(ids)} ids for embeddings of shape {rows.shape}: "
                "give one id for each row."
            )
        everything = self.ids + ids
        if len(set(everything)) < len(everything):
            twice = next(one for one, times in Counter(everything).items() if times > 1)
            raise InputError(f"The id {twice!r} is given twice: give every item an id of its own, or remove it first.")
        self.vectors, self.ids = np.concatenate([self.vectors, self._corrected(rows)]), everything
        self._refresh()

    def remove(self, ids: Iterable[str | int]) -> None:
        """Take out the items with these ids; raises `InputError`, and changes nothing, for one that is not there."""
        place = {one: row for row, one in enumerate(self.ids)}
        gone = [_plain(one) for one in ids]
        for one in gone:
            if one not in place:
                raise InputError(f"There is no item {one!r} in the index of {len(self)}: give ids that are there.")
        keep = np.ones(len(self), dtype=bool)
        keep[[place[one] for one in gone]] = False
        self.alive[self.alive] = keep[: self.alive.sum()]
        self.vectors, self.ids = self.vectors[keep], [one for one, kept in zip(self.ids, keep, strict=True) if kept]
        self._refresh()

    def with_bank(self, bank: Any) -> SearchIndex:
        """A new index of the same items whose scores are corrected by that bank, or by none (None)."""
        return SearchIndex(self.vectors[:, : self.width], self.ids, self.kind, bank)

    def search(self, queries: Any, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """Ids (q, k) and scores (q, k) of the k best items for every query (q, width), best first.

        Scores are cosines, less the correction where there is a bank; equal ones stand in the order of the items.
        Raises `InputError` for a k above the number of items, another width, and queries that are not of unit length.
        """
        queries = _rows("queries", queries)
        if queries.shape[1] != self.width:
            raise InputError(f"The index has {self.width} dimensions, but the queries have {queries.shape[1]}.")
        if not isinstance(k, int | np.integer) or not 1 <= k <= len(self):
            raise InputError(f"k = {k} items were asked for of {len(self)}: choose k between 1 and {len(self)}.")
        if self.bank is not None:
            queries = np.concatenate([queries, np.ones_like(queries[:, :1])], axis=1)
        chunk = evaluate.queries_at_once(len(self))
        answers = [self._answer(queries[i : i + chunk], k) for i in range(0, len(queries), chunk)]
        rows, scores = (np.concatenate(part) for part in zip(*answers, strict=True))
        return self._named[rows], scores

    def _answer(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if self.graph is None:
            return _best(queries, self.vectors, k)
        last = int(self.alive.sum())  # items before are those of the graph, the others were added since
        rows = self._candidates(queries, min(k, last))
        scores = np.einsum("qd,qcd->qc", queries, self.vectors[rows])
        if last < len(self):
            added, more = _best(queries, self.vectors[last:], min(k, len(self) - last))
            rows, scores = np.concatenate([rows, last + added], axis=1), np.concatenate([scores, more], axis=1)
        return _sorted(rows, scores, k)

    def _candidates(self, queries: np.ndarray, k: int) -> np.ndarray:
        """Rows (q, k) of the graph's items for every query; by products for those with too few that are still there."""
        asked = min(k + int((~self.alive).sum()), len(self.alive))
        self.graph.setQueryTimeParams({"efSearch": max(SEARCH, 4 * asked)})
        rows = np.zeros((len(queries), k), dtype=np.int64)
        for i, (found, _) in enumerate(self.graph.knnQueryBatch(self._asked(queries), k=asked, num_threads=1)):
            there = self._row_of[found[self.alive[found]]][:k]
            enough = len(there) == k
            rows[i] = there if enough else _best(queries[i : i + 1], self.vectors[: self.alive.sum()], k)[0][0]
        return rows

    def _corrected(self, rows: np.ndarray) -> np.ndarray:
        """The rows with minus their correction as one more column, which a query multiplies by 1."""
        if self.bank is None or not len(rows):
            return rows if self.bank is None else np.zeros((0, self.width + 1), dtype=np.float32)
        correct = hubness.csls(torch.from_numpy(self.bank), torch.from_numpy(rows))
        taken_off = correct(torch.zeros(1, len(rows), dtype=torch.float64))
        return np.concatenate([rows, taken_off.numpy().T.astype(np.float32)], axis=1)

    def _refresh(self) -> None:
        """Number the items; make the graph where one is wanted and there is none, or one that has become stale."""
        whole = all(isinstance(one, int) for one in self.ids)
        self._named = np.array(self.ids, dtype=None if whole else object)
        if self.kind == "exact" or (self.kind == "auto" and len(self) <= EXACT_UP_TO) or not len(self):
            self.graph, self.alive = None, np.zeros(0, dtype=bool)
            return
        gone, added = int((~self.alive).sum()), len(self) - int(self.alive.sum())
        if self.graph is None or gone + added > STALE * len(self.alive):
            self.graph = _nmslib().init(method="hnsw", space="l2")
            self.graph.addDataPointBatch(self._stored())
            self.graph.createIndex(GRAPH, print_progress=False)
            self.alive = np.ones(len(self), dtype=bool)
        self._row_of = np.cumsum(self.alive) - 1  # of the graph's items

    def _stored(self) -> np.ndarray:
        """The rows as the graph has them: a last column makes all of one length, so that near means large products."""
        if self.bank is None:
            return self.vectors
        rest = np.sqrt(np.maximum(LARGEST**2 - self.vectors[:, -1:] ** 2, 0))
        return np.concatenate([self.vectors, rest], axis=1)

    def _asked(self, queries: np.ndarray) -> np.ndarray:
        return queries if self.bank is None else np.concatenate([queries, np.zeros_like(queries[:, :1])], axis=1)

    def save(self, folder: Path | str) -> Path:
        """Write the index to a folder of its own in one step; returns its path."""
        with folders.written(folder, "index") as part:
            self.write(part)
        return Path(folder)

    @classmethod
    def load(cls, folder: Path | str) -> SearchIndex:
        """The index in a folder; raises `InputError` for a folder that was changed, cut short or made by later code."""
        return cls.read(folders.checked(folder, "index"))

    def write(self, folder: Path) -> None:
        """Put the files of the index into a folder that is being written."""
        arrays = {"vectors": self.vectors, "alive": self.alive}
        save_file(arrays | ({} if self.bank is None else {"bank": self.bank}), folder / "index.safetensors")
        settings = {"kind": self.kind, "width": self.width, "graph": self.graph is not None, "ids": self.ids}
        (folder / "index.json").write_text(json.dumps(settings, ensure_ascii=False), "utf-8")
        if self.graph is not None:
            self.graph.saveIndex(str(folder / "graph.hnsw"), save_data=False)

    @classmethod
    def read(cls, folder: Path) -> SearchIndex:
        """The index in a folder whose files were checked."""
        settings = json.loads((folder / "index.json").read_text("utf-8"))
        arrays = load_file(folder / "index.safetensors")
        made = cls(np.zeros((0, settings["width"]), dtype=np.float32), [], settings["kind"], arrays.get("bank"))
        made.vectors, made.alive, made.ids = arrays["vectors"], arrays["alive"], settings["ids"]
        if settings["graph"]:
            made.graph = _nmslib().init(method="hnsw", space="l2")
            made.graph.loadIndex(str(folder / "graph.hnsw"), load_data=False)
        made._refresh()
        return made


def _best(queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and scores (q, k) of the largest products."""
    found = torch.topk(torch.from_numpy(queries) @ torch.from_numpy(vectors).T, k)
    return _sorted(found.indices.numpy(), found.values.numpy(), k)


def _sorted(rows: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((rows, -scores))[:, :k]
    return np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1)


def _rows(name: str, vectors: Any) -> np.ndarray:
    """Unit-length float32 rows; raises `InputError` for what is none."""
    try:
        rows = vectors.detach().cpu().numpy() if isinstance(vectors, Tensor) else np.asarray(vectors)
        rows = np.ascontiguousarray(rows, dtype=np.float32)
    except (TypeError, ValueError):
        raise InputError(f"The {name} are no embeddings: give rows of numbers, as embed1 and embed2 do.") from None
    if rows.ndim != 2:
        raise InputError(f"The {name} have shape {rows.shape}, and rows of embeddings were wanted: (n, k).")
    evaluate.check_unit(name, torch.from_numpy(rows))
    return rows


def _plain(one: Any) -> str | int:
    if isinstance(one, np.generic):
        one = one.item()
    if not isinstance(one, str | int) or isinstance(one, bool):
        raise InputError(f"The id {one!r:.40} is neither a text nor a whole number: name every item by one of these.")
    return one
