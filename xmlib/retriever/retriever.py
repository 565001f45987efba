"""Two views brought into one space, with all that new items need: preparations, model, indexes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from scipy import sparse

from xmlib import evaluate
from xmlib.data import Splits, preparation
from xmlib.data.preparation import CHUNK, Preparation, Prepared, count, take
from xmlib.errors import InputError
from xmlib.evaluate import DIRECTIONS
from xmlib.model import TwoView
from xmlib.profiles import Settings, choose
from xmlib.retriever import folder as folders
from xmlib.retriever import moments, training
from xmlib.retriever.search_index import Ids, SearchIndex
from xmlib.scoring import captions, details

KIND = "retriever"
VIEW_FILES = ("view1.safetensors", "view2.safetensors")
FORWARD, BACKWARD = DIRECTIONS  # view 1 queries items of view 2, and the other way round


@dataclass
class Retriever:
    """A trained model with the preparations of its views; `train` or `load` makes one.

    `about`: facts about its training, such as `history` and `valid_mrr`. `indexes`: one for each direction for which
    `index` was called. Items are given as in training: rows of numbers, texts or paths. Items of kinds other than
    numbers may also be given as the features that their preparation makes.
    """

    preparations: tuple[Preparation, Preparation]
    model: TwoView
    method: str
    settings: Settings
    about: dict[str, Any]
    indexes: dict[str, SearchIndex] = field(default_factory=dict)

    @classmethod
    def train(
        cls,
        view1: Any,
        view2: Any = None,
        *,
        method: str = "ccal_cont",
        groups: Sequence | None = None,
        validation: float | tuple[Any, Any] = 0.1,
        preparations: tuple[Preparation | None, Preparation | None] = (None, None),
        d: int = 0,
        batch: int = 0,
        epochs: int = 0,
        seed: int = 1,
        device: str = "cpu",
        on_epoch: Callable[[dict], None] = lambda row: None,
        halt: Callable[[], bool] = lambda: False,
        **changes: Any,
    ) -> Retriever:
        """A retriever trained on pairs: item i of `view1` belongs to item i of `view2`.

        `view1`: rows of numbers (dense or sparse), texts, or anything that a preparation takes; or a whole data set,
        `data.Splits`, whose views went through `preparations` already, if there are any. `method`: of `METHODS`, or
        `linear_cca`, which takes seconds. `groups`, (n,): pairs that stay together; `validation`: the share held out to
        choose the epoch, or a pair of views for that. `d`, `batch`, `epochs`: 0 for what suits the number of pairs;
        `changes`: other `Settings`. `on_epoch`, `halt`: see `fit.fit`.
        Raises `InputError` for views of unequal lengths, too few or equal pairs, NaN, and settings that do not fit.
        """
        choose("method", method, training.METHODS)
        training.check_numbers(seed, {"d": d, "batch": batch, "epochs": epochs}, changes)
        if changes and method == training.LINEAR:
            raise InputError(f"linear_cca has no settings but d, and so no {next(iter(changes))}: leave it out.")
        if isinstance(view1, Splits):
            shapes = training.shapes_of(view1)
            splits, prepared = view1, [own or Prepared(s) for own, s in zip(preparations, shapes, strict=True)]
        else:
            splits, prepared = _prepared(view1, view2, groups, validation, preparations, seed)
        if method == training.LINEAR:
            model, settings, about = training.linear_cca(splits, d)
        else:
            settings = training.suited(method, splits, d, batch, epochs, **changes)
            model, about = training.train(method, splits, settings, seed, device, on_epoch, halt)
        pairs = {"pairs": len(splits.train), "valid_pairs": len(splits.valid), "seed": seed}
        return cls((prepared[0], prepared[1]), model, method, settings, pairs | about)

    def embed1(self, items: Any) -> np.ndarray:
        """Unit-length embeddings (n, k) float32 of items of the first view; a single item gives (1, k).

        Raises `InputError` for items of another kind or width than in training, and for NaN.
        """
        return self._embed(0, items)

    def embed2(self, items: Any) -> np.ndarray:
        """Unit-length embeddings (n, k) float32 of items of the second view."""
        return self._embed(1, items)

    @torch.no_grad()
    def _embed(self, view: int, items: Any) -> np.ndarray:
        embed = self.model.embed2 if view else self.model.embed1
        parts = [embed(tensor).cpu().numpy() for (tensor,) in self._chunks((view, self._several(view, items)))]
        return np.concatenate(parts) if parts else np.zeros((0, self.settings.k or self.settings.d), np.float32)

    def _chunks(self, *views: tuple[int, Any]) -> Iterator[tuple[torch.Tensor, ...]]:
        """Prepared items of one view or of both, some at a time; an error in a later chunk says in which."""
        n, device = count(views[0][1]), next(self.model.parameters()).device
        for start in range(0, n, CHUNK):
            rows = np.arange(start, min(start + CHUNK, n))
            try:
                found = [self._features(view, take(items, rows)) for view, items in views]
            except InputError as error:
                raise InputError(f"Items from {start} on: {error}" if start else str(error)) from None
            dense = (part.toarray() if sparse.issparse(part) else part for part in found)
            yield tuple(torch.from_numpy(part).to(device) for part in dense)

    def _features(self, view: int, items: Any) -> Any:
        """What the encoder takes; arrays of numbers are that already, unless numbers are what is to be prepared."""
        prepare = self.preparations[view]
        array = isinstance(items, np.ndarray) or sparse.issparse(items)
        if array and items.dtype.kind in "fiub" and prepare.kind != "numbers":
            return preparation.as_features(items, tuple(prepare.shape))
        return prepare.transform(items)

    def _several(self, view: int, items: Any) -> Any:
        """The items, or a list of one where a single text, path or row of numbers was given."""
        if isinstance(items, str | Path):
            return [items]
        flat = isinstance(items, list | tuple | np.ndarray) and np.shape(items[:1]) == (1,)
        row = flat and isinstance(items[0], Number) and tuple(self.preparations[view].shape) != (1,)
        return np.asarray(items)[None] if row else items

    def index(
        self, direction: str, items: Any, ids: Ids | None = None, *, bank: Any = None, kind: str = "auto"
    ) -> SearchIndex:
        """An index of the items that `search` finds in that direction; `ids` are 0 to n − 1 if not given.

        `direction`: "view1_to_view2" indexes items of view 2. `bank`: training items of the query's view, for a
        correction of hubs; `kind`: see `SearchIndex`. More items: `index.add(retriever.embed2(items), ids)`.
        """
        view = self._found_in(direction)
        vectors = self._embed(view, items)
        queries = None if bank is None else self._embed(1 - view, bank)
        self.indexes[direction] = SearchIndex(vectors, range(len(vectors)) if ids is None else ids, kind, queries)
        return self.indexes[direction]

    def search(self, query: Any, k: int = 10, direction: str = FORWARD) -> tuple[np.ndarray, np.ndarray]:
        """Ids and scores of the k best items of the index for every query, (q, k), or (k,) for a single item.

        Raises `InputError` where there is no index, for a k above its items, and for a query of another kind or width,
        with NaN, or without a word that training has seen.
        """
        view = 1 - self._found_in(direction)
        if direction not in self.indexes:
            raise InputError(f"There is no index to search {direction} yet: call index({direction!r}, items, ids).")
        queries = self._several(view, query)
        if not count(queries):
            raise InputError("There is no query: give one item at least.")
        self._check_known(view, queries)
        ids, scores = self.indexes[direction].search(self._embed(view, queries), k)
        return (ids, scores) if queries is query else (ids[0], scores[0])

    def _check_known(self, view: int, queries: Any) -> None:
        if self.preparations[view].kind != "texts":
            return
        said = np.diff(self._features(view, queries).tocsr().indptr)
        if not said.all():
            query = take(queries, [int(np.argmin(said))])[0]
            raise InputError(f"The query {query!r:.60} has no word that training has seen: use other words.")

    @staticmethod
    def _found_in(direction: str) -> int:
        """The view whose items are found in a direction: 0 or 1."""
        return 1 if choose("direction", direction, DIRECTIONS) == FORWARD else 0

    def refit(self, view1: Any, view2: Any = None) -> int:
        """How many pairs the head was estimated on again; encoders and preparations stay, indexes are dropped.

        `view1`, `view2`: items in pairs, which may be mapped from files, since they are read in chunks; or `view1`
        alone, an iterable of such pairs of views, for more than one file can hold.
        Raises `InputError` for no more pairs than dimensions, and for methods whose head has nothing to estimate.
        """
        total: moments.Moments | None = None
        for h1, h2 in self._encoded([(view1, view2)] if view2 is not None else view1):
            total = total or moments.Moments(h1.shape[1], h2.shape[1])
            total.add(h1, h2)
        if total is None:
            raise InputError("There are no pairs to estimate the head from: give some.")
        moments.refit(self.model.head, total)
        self.about["refitted_on"] = total.n
        self.indexes.clear()
        return total.n

    @torch.no_grad()
    def _encoded(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for view1, view2 in pairs:
            check_pairs(view1, view2)
            for tensor1, tensor2 in self._chunks((0, view1), (1, view2)):
                h1, h2 = self.model.features(tensor1, tensor2)
                yield h1.cpu(), h2.cpu()

    def evaluate(
        self, view1: Any, view2: Any, groups: Sequence | None = None, shared: tuple[int, Any] | None = None
    ) -> dict[str, dict[str, float]]:
        """The metrics of `evaluate.both_ways` and `details.distances` on these pairs, by direction.

        All items are candidates. `shared`: where several pairs have the same item of a view, as captions have a
        picture, that view, 1 or 2, and a number or name of each pair's item, (n,); the metrics are those of
        `captions.both_ways` then. Without it, paths tell that by themselves.
        """
        n = check_pairs(view1, view2)
        if groups is not None and len(groups) != n:
            raise InputError(f"There are {n} pairs, but {len(groups)} groups: give one group for each pair.")
        if shared is not None and (shared[0] not in (1, 2) or len(shared[1]) != n):
            raise InputError(f"shared is a view, 1 or 2, and a name for each of the {n} pairs' items: give these two.")
        x, y = torch.from_numpy(self.embed1(view1)), torch.from_numpy(self.embed2(view2))
        several = shared or self._shared(n, view1, view2)
        found = captions.both_ways(x, y, *several, groups=groups) if several else evaluate.both_ways(x, y, groups)
        apart = details.distances(x, y)
        return {way: metrics | apart for way, metrics in found["metrics"].items()}

    def _shared(self, n: int, *views: Any) -> tuple[int, list[str]] | None:
        """The view of files with the fewest different paths, if these are fewer than the pairs, and the paths."""
        of_files = [v for v in (0, 1) if self.preparations[v].kind in ("images", "audio")]
        paths = {v + 1: list(map(str, views[v])) for v in of_files if not hasattr(views[v], "shape")}
        view = min(paths, key=lambda v: len(set(paths[v])), default=0)
        return (view, paths[view]) if view and len(set(paths[view])) < n else None

    def save(self, folder: Path | str) -> Path:
        """Write model, settings, preparations and indexes to one folder in one step; returns its path."""
        states = [prepare.state() for prepare in self.preparations]
        settings = {
            "method": self.method, "settings": asdict(self.settings), "about": self.about,
            "views": [
                {"kind": prepare.kind, "shape": list(prepare.shape), "settings": kept}
                for prepare, (kept, _) in zip(self.preparations, states, strict=True)
            ],
        }  # fmt: skip
        with folders.written(folder, KIND) as part:
            (part / "settings.json").write_text(json.dumps(settings, indent=1, ensure_ascii=False), "utf-8")
            for name, (_, arrays) in zip(VIEW_FILES, states, strict=True):
                whole = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
                safetensors.numpy.save_file(whole, part / name)
            weights = {name: tensor.cpu().contiguous() for name, tensor in self.model.state_dict().items()}
            safetensors.torch.save_file(weights, part / "model.safetensors")
            for direction, index in self.indexes.items():
                (part / direction).mkdir()
                index.write(part / direction)
        return Path(folder)

    @classmethod
    def load(cls, folder: Path | str) -> Retriever:
        """The retriever in a folder, on the CPU.

        Raises `InputError` for a folder that is not there, was changed or cut short, or was saved by a newer version.
        """
        folder = folders.checked(folder, KIND)
        kept = json.loads((folder / "settings.json").read_text("utf-8"))
        preparations = [
            preparation.of_kind(view["kind"]).from_state(view["settings"], safetensors.numpy.load_file(folder / name))
            for view, name in zip(kept["views"], VIEW_FILES, strict=True)
        ]
        settings, shapes = Settings(**kept["settings"]), [tuple(view["shape"]) for view in kept["views"]]
        model = training.untrained(kept["method"], settings, (shapes[0], shapes[1]), kept["about"])
        model.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
        indexes = {name: SearchIndex.read(folder / name) for name in DIRECTIONS if (folder / name).is_dir()}
        return cls((preparations[0], preparations[1]), model, kept["method"], settings, kept["about"], indexes)


def check_pairs(view1: Any, view2: Any) -> int:
    """How many pairs two views make; raises `InputError` for unequal lengths."""
    n, m = count(view1), count(view2)
    if n != m:
        raise InputError(f"The views have {n} and {m} items: give pairs, item i of one with item i of the other.")
    return n


def _prepared(
    view1: Any, view2: Any, groups: Sequence | None, validation: Any, given: tuple, seed: int
) -> tuple[Splits, list[Any]]:
    """Training and validation pairs with the preparations that were fitted on the first."""
    n = check_pairs(view1, view2)
    if n < training.LEAST_PAIRS:
        raise InputError(f"There are {n} pairs, and training needs {training.LEAST_PAIRS} at least: give more pairs.")
    together = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(together) != n:
        raise InputError(f"There are {n} pairs, but {len(together)} groups: give one group for each pair.")
    held = np.zeros(n, dtype=bool)
    if isinstance(validation, tuple):
        valid, other = validation, np.arange(check_pairs(*validation))
    else:
        held = training.divide(together, validation, seed)
        valid, other = tuple(take(view, np.flatnonzero(held)) for view in (view1, view2)), together[held]
    train = [take(view, np.flatnonzero(~held)) for view in (view1, view2)]
    prepared = [(own or preparation.for_items(view)).fit(view) for own, view in zip(given, train, strict=True)]
    parts = [
        training.split_of(prepared[0].transform(one), prepared[1].transform(two), numbers)
        for (one, two), numbers in ((train, together[~held]), (valid, other))
    ]
    return training.splits_of(parts[0], parts[1], seed), prepared
