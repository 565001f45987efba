"""What two processes do in the tests, each in a Python of its own, and what one does for comparison."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from xmlib import evaluate, fit, methods, paths, profiles
from xmlib.data import Split, Splits, View
from xmlib.distributed import large, processes, sharing, training
from xmlib.errors import InputError
from xmlib.neighborhoods.neighbors import Neighbors
from xmlib.neighborhoods.training import NeighborhoodObjective

WIDTHS, D, N = (20, 30), 6, 41  # an odd number of pairs: the shares of two processes are unequal


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def together(world: int, *command: str, only: int | None = None, port: int = 0, **more: str) -> list[subprocess.Popen]:
    """The processes of a group, started as torchrun would, each with its own outputs; or only that one of them."""
    common = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port or free_port()),
        "WORLD_SIZE": str(world),
    }
    common["PYTHONPATH"] = os.pathsep.join([str(paths.ROOT), str(Path(__file__).parent)])
    return [
        subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=paths.ROOT,
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)} | more,
        )
        for rank in (range(world) if only is None else [only])
    ]  # fmt: skip


def splits() -> Splits:
    """Made-up pairs of vectors in double precision."""

    def split(n: int, seed: int) -> Split:
        rng = np.random.default_rng(seed)
        common = rng.normal(size=(n, 8))
        views = [common @ rng.normal(size=(8, width)) + rng.normal(size=(n, width)) for width in WIDTHS]
        return Split(
            *(View(n, (v.shape[1],), lambda rows, v=v: v[rows]) for v in views), list(map(str, range(n))), np.arange(n)
        )

    return Splits("made-up", "toy", 1, {}, "", split(2 * N, 1), split(30, 2), split(30, 3))


def steps(method: str, made: Splits, shared: bool, n: int = N) -> dict[str, list]:
    """Loss and gradients, as lists, of two steps on n and n − 8 pairs, and parameters and buffers after them."""
    settings = profiles.settings("toy", "emoji", method, d=D, batch=n, dropout=0.0)
    model = methods.build(method, settings, 1, [(width,) for width in WIDTHS]).double().train()
    objective = fit.Objective(methods.METHODS[method].terms(settings))
    if methods.METHODS[method].neighborhoods:
        near = np.random.default_rng(4).integers(len(made.train), size=(len(made.train), 3))
        objective = NeighborhoodObjective(
            made, settings, 1, torch.device("cpu"), Neighbors(near, np.ones(near.shape), 1, 1, "exact")
        )
    if shared:
        model = sharing.SharedModel(model)
        objective = sharing.SharedObjective(model, objective)
    objective.begin(0)
    found = {}
    for step, rows in enumerate((np.arange(n), np.arange(n, 2 * n - 8))):  # the last batch is smaller
        model.zero_grad()
        loss = objective(model, *fit.load_batch(made.train, rows, "cpu"), rows)
        loss.backward()
        found[f"loss {step}"] = [loss.item()]
        found |= {f"{name} {step}": p.grad.flatten().tolist() for name, p in model.named_parameters()}
    return found | {name: buffer.flatten().tolist() for name, buffer in model.state_dict().items()}


def scores(method: str, made: Splits, checkpoint: Path | None = None) -> dict[str, float]:
    """Test scores after three epochs in single precision; with a checkpoint by all processes."""
    settings = profiles.settings("toy", "emoji", method, d=D, batch=N - 1, dropout=0.0)
    single = Splits(made.name, "toy", 1, {}, "", *(in_single_precision(s) for s in (made.train, made.valid, made.test)))
    model = methods.build(method, settings, 1, [(width,) for width in WIDTHS])
    train = training.fit if checkpoint else fit.fit
    made_of = train(model, single, method, settings, 1, torch.device("cpu"), checkpoint)
    return evaluate.retrieval_metrics(*fit.embed(made_of.model, single.test))


def in_single_precision(split: Split) -> Split:
    views = [
        View(len(v), v.shape, lambda rows, v=v: v.cut(rows).astype(np.float32)) for v in (split.view1, split.view2)
    ]
    return Split(*views, split.ids, split.groups)


def gallery() -> tuple[torch.Tensor, torch.Tensor]:
    """Unit-length embeddings in pairs, with ties."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N, 4, generator=generator)
    y = x + torch.randn(N, 4, generator=generator)
    y[5:9] = y[5]
    return torch.nn.functional.normalize(x, dim=1), torch.nn.functional.normalize(y, dim=1)


def features() -> tuple[torch.Tensor, torch.Tensor]:
    """Features of pairs whose means are far from 0."""
    generator = torch.Generator().manual_seed(1)
    h1, h2 = torch.randn(50, 4, generator=generator), torch.randn(50, 3, generator=generator)
    return 1000 + h1, h2 + h1[:, :3]


def in_shares(folder: Path) -> dict[str, list]:
    """What processes make of shares of a gallery and of features in files."""
    x, y = gallery()
    own = sharing.share(N)
    better, tied = large.standing(x, y[own], own.start)
    files = [folder / name for name in ("h1.npy", "h2.parquet")]
    moments = large.added_up(large.moments_of(*files, own=sharing.share(50)))
    problem = ""
    try:
        large.standing(x, y[:3], 0)
    except InputError as error:
        problem = str(error)
    return {
        "better": better.tolist(), "tied": tied.tolist(), "n": moments.n, "problem": problem,
        "mean": moments.mean.tolist(), "products": moments.products.tolist(),
    }  # fmt: skip


def main(folder: str) -> None:
    """All that two processes share, found by each of them and kept in a file."""
    with processes.joined(20) as rank:
        made = splits()
        found = {method: steps(method, made, shared=True) for method in methods.METHODS}
        for method in methods.IMAGE_METHODS:
            found[method]["scores"] = scores(method, made, Path(folder, method, "checkpoint.pt"))
        found["shares"] = in_shares(Path(folder))
        Path(folder, f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
