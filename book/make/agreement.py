"""How near two processes come to one after three epochs on real pairs: `python -m book.make.agreement`, some minutes.

The file book/records/agreement.json has a row for every data set, method and precision: the largest difference of a
test score from that of one process, and for comparison that of one process whose first weights differ in their last
digit.
Dropout is off, since every process draws for itself. Rows that the file has are not made again.
"""

import json
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.multiprocessing as mp
from torch import Tensor, nn

from xmlib import data, evaluate, fit, methods, paths, profiles
from xmlib.data import Split, Splits, View
from xmlib.distributed import processes, training
from xmlib.distributed.sharing import SharedModel, SharedObjective
from xmlib.files import write_text
from xmlib.methods import METHODS
from xmlib.model import TwoView
from xmlib.neighborhoods import neighbors
from xmlib.neighborhoods.training import NeighborhoodObjective, reduce_on_plateau
from xmlib.profiles import Settings

FILE = paths.ROOT / "book" / "records" / "agreement.json"
EPOCHS, WITHIN = 3, 1e-4
LAST_DIGIT = 6e-8  # of a number in single precision, as a share of it
PAIRS = {"emoji": "quick", "audio_score": "toy"}  # data set → profile
ALL_METHODS = {"emoji": tuple(METHODS), "audio_score": methods.AUDIO_METHODS}
ERRORS_ON = "audio_score"  # gradients of the first step are compared there: its encoders have the most to add up


@dataclass(frozen=True)
class Case:
    """A short training; `nudged`: by which share its first weights are changed at random."""

    dataset: str
    method: str
    precision: str = "float32"
    nudged: float = 0.0

    @property
    def settings(self) -> Settings:
        """Of the profile, but for the number of epochs and dropout."""
        encoder = "tfidf" if METHODS[self.method].neighborhoods else "words"
        profile = PAIRS[self.dataset]
        s = profiles.settings(profile, self.dataset, self.method, epochs=EPOCHS, text_encoder=encoder)
        return replace(s, dropout=0.0)

    def splits(self) -> Splits:
        """The pairs in its precision."""
        made = data.load(self.dataset, PAIRS[self.dataset])
        train, valid, test = (_cast(part, self.precision) for part in (made.train, made.valid, made.test))
        return Splits(made.name, made.profile, made.seed, made.settings, made.digest, train, valid, test)

    def model(self, splits: Splits) -> TwoView:
        """Untrained, in its precision."""
        made = methods.build(self.method, self.settings, 1, (splits.train.view1.shape, splits.train.view2.shape))
        if self.precision == "float64":
            made = TwoView(_in_double(made.encoder1), _in_double(made.encoder2), made.head.double())
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for p in made.parameters():
                p.mul_(1 + self.nudged * torch.randn(p.shape, generator=generator).to(p.dtype))
        return made


def _cast(split: Split, precision: str) -> Split:
    one, other = (_cast_view(view, precision) for view in (split.view1, split.view2))
    return Split(one, other, split.ids, split.groups)


def _cast_view(view: View, precision: str) -> View:
    return View(len(view), view.shape, lambda rows: view[rows].astype(precision))


def _in_double(encoder: nn.Module) -> nn.Module:
    """The same layers; `ConvEncoder` itself ends in single precision."""
    if hasattr(encoder, "layers"):
        encoder = nn.Sequential(encoder.layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return encoder.double()


def scores(case: Case, folder: Path | None = None) -> dict[str, float]:
    """Test scores as shares, after training; with a folder for a checkpoint by all processes."""
    splits, s, device = case.splits(), case.settings, torch.device("cpu")
    if METHODS[case.method].neighborhoods:
        trained = fit.run(_with_neighbors(case, splits, shared=folder is not None))
    elif folder is None:
        trained = fit.fit(case.model(splits), splits, case.method, s, 1, device)
    else:
        trained = training.fit(case.model(splits), splits, case.method, s, 1, device, folder / "checkpoint.pt")
    found = evaluate.retrieval_metrics(*fit.embed(trained.model, splits.test))
    most = {"r": 100, "median_rank": len(splits.test), "mean_rank": len(splits.test)}
    return {name: value / most.get(name.rstrip("0123456789"), 1) for name, value in found.items()}


def _with_neighbors(case: Case, splits: Splits, shared: bool) -> fit.Training:
    s, device, model = case.settings, torch.device("cpu"), case.model(splits)
    near = neighbors.nearest(splits.train.view2[np.arange(len(splits.train))].astype(np.float32), index="exact")
    objective: fit.Objective = NeighborhoodObjective(splits, s, 1, device, near)
    if shared:
        model = SharedModel(model)
        objective = SharedObjective(model, objective)
    return fit.Training(model, splits, objective, s, 1, device, reduce_on_plateau)


def gradients(case: Case, shared: bool = False) -> list[Tensor]:
    """Those of the first step, a tensor for each parameter, in float64."""
    splits, s = case.splits(), case.settings
    model, objective = case.model(splits), fit.Objective(METHODS[case.method].terms(s))
    if shared:
        model = SharedModel(model)
        objective = SharedObjective(model, objective)
    rows = fit.batches(len(splits.train), s.batch, 1, 0)[0]
    objective(model.train(), *fit.load_batch(splits.train, rows, "cpu"), rows).backward()
    return [p.grad.double() for p in model.parameters() if p.grad is not None]


def together(cases: Sequence[Case], world: int = 2) -> list[dict[str, Any]]:
    """What so many processes find for every case: `scores`, and `gradients` on the pairs where these are compared."""
    with socket.socket() as bound, tempfile.TemporaryDirectory() as folder:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        bound.close()
        mp.spawn(_process, (world, port, list(cases), Path(folder)), nprocs=world)
        return torch.load(Path(folder, "found.pt"))


def _process(rank: int, world: int, port: int, cases: list[Case], folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world), "RANK": str(rank)}
    with processes.joined(120):
        found = [_found(case, folder / str(number) / "run") for number, case in enumerate(cases)]
    if rank == 0:
        torch.save(found, folder / "found.pt")


def _found(case: Case, folder: Path | None = None) -> dict[str, Any]:
    compared = case.dataset == ERRORS_ON
    return {"scores": scores(case, folder), "gradients": gradients(case, bool(folder)) if compared else []}


def largest(one: dict[str, float], other: dict[str, float]) -> float:
    """The largest difference of a score."""
    return max(abs(one[name] - other[name]) for name in one)


def error(found: Sequence[Tensor], true: Sequence[Tensor]) -> float:
    """The median over parameters of the relative error; those whose gradient is 0 but for rounding say nothing."""
    pairs = [(f, t) for f, t in zip(found, true, strict=True) if t.norm() > 1e-9 * max(t.norm() for t in true)]
    return float(np.median([float((f - t).norm() / t.norm()) for f, t in pairs]))


def rows(dataset: str, method: str) -> list[dict[str, Any]]:
    """A row for each precision of a method on these pairs."""
    cases = [Case(dataset, method, precision) for precision in ("float32", "float64")]
    both, alone = together(cases), [_found(case) for case in cases]
    steps = EPOCHS * (len(cases[0].splits().train) // cases[0].settings.batch)
    made: list[dict[str, Any]] = []
    for case, two, one in zip(cases, both, alone, strict=True):
        known = {"dataset": dataset, "method": method, "precision": case.precision}
        difference = largest(one["scores"], two["scores"])
        made.append(known | {"profile": PAIRS[dataset], "steps": steps, "two": difference})
    made[0]["nudged"] = largest(alone[0]["scores"], scores(replace(cases[0], nudged=LAST_DIGIT)))
    if dataset == ERRORS_ON:
        true = alone[1]["gradients"]
        made[0]["errors"] = [error(found[0]["gradients"], true) for found in (alone, both)]
    return made


def kept() -> list[dict[str, Any]]:
    """The rows of the file, none where there is none."""
    return json.loads(FILE.read_text(encoding="utf-8"))["rows"] if FILE.exists() else []


def told(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the page says of these rows: a line for each method on each of the pairs, and errors of gradients."""
    single = [row for row in found if row["precision"] == "float32"]
    double = {(row["dataset"], row["method"]): row["two"] for row in found if row["precision"] == "float64"}
    lines = [
        row | {"title": METHODS[row["method"]].title, "double": double[row["dataset"], row["method"]]} for row in single
    ]
    errors = [row["errors"] for row in single if "errors" in row]
    return {"lines": lines, "within": WITHIN, "epochs": EPOCHS, "errors": list(zip(*errors, strict=True))}


def main() -> int:
    """Measures what the file has not yet, and adds it; returns 0."""
    torch.set_num_threads(1)
    found = kept()
    for dataset in PAIRS:
        for method in ALL_METHODS[dataset]:
            if not any((row["dataset"], row["method"]) == (dataset, method) for row in found):
                found += rows(dataset, method)
                print(*found[-2:], sep="\n", flush=True)
                write_text(FILE, json.dumps({"epochs": EPOCHS, "within": WITHIN, "rows": found}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
