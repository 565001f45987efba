"""Galleries and refits that do not fit: exact ranks against bare products, shares against one process, and memory.

Queries are scored in float64 by chunks, so the bare products are those of the same chunks and precision. Every claim is
on 100,000 candidates of 128 numbers; all 100,000 queries are for `benchmarks.whole`. Run it as
`python -m benchmarks.large`.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks import common
from xmlib import evaluate, paths
from xmlib.cca import covariances
from xmlib.distributed import large, processes
from xmlib.distributed.sharing import share

N, D, QUERIES = 100_000, 128, 1_000
MEMORY = 1024.0  # MiB that exact ranks of N × N may take besides the embeddings
REFIT = 500_000  # pairs in files, 244 MiB a view
TWO = 20_000  # queries and candidates of two processes


def views(n: int) -> tuple[Tensor, Tensor]:
    """Unit-length embeddings of pairs, (n, D) each, float32."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, D, generator=generator)
    return normalize(x, dim=1), normalize(x + torch.randn(n, D, generator=generator), dim=1)


def counted(x: Tensor, y: Tensor, queries: int) -> None:
    """Exact counts of the first queries against all candidates, as `evaluate.standing` has them."""
    for start, scores in evaluate.score_chunks(x[:queries], y):
        evaluate._counts(scores, start)


def multiplied(x: Tensor, y: Tensor, queries: int) -> None:
    """The products of the same chunks and nothing else."""
    candidates, chunk = y.double(), evaluate.queries_at_once(len(y))
    memory = candidates.new_empty(chunk, len(y))
    for start in range(0, queries, chunk):
        rows = x[start : min(start + chunk, queries)].double()
        torch.mm(rows, candidates.T, out=memory[: len(rows)])


def ranked_growth(queries: int) -> float:
    """How many MiB exact counts take besides the embeddings."""
    x, y = views(N)
    return common.growth(partial(counted, x, y, queries))


def in_files(folder: Path) -> list[Path]:
    """Features of REFIT pairs in two files, written in pieces."""
    rng, files = np.random.default_rng(0), []
    for name in ("h1.npy", "h2.npy"):
        files.append(folder / name)
        table = np.lib.format.open_memmap(files[-1], "w+", np.float32, (REFIT, D))
        for start in range(0, REFIT, 10_000):
            table[start : start + 10_000] = rng.standard_normal((10_000, D), dtype=np.float32)
        table.flush()
    return files


def whole(files: list[Path]) -> tuple[Tensor, ...]:
    """Covariances from all pairs in memory."""
    h1, h2 = (torch.from_numpy(np.load(file)).double() for file in files)
    return covariances(h1 - h1.mean(0), h2 - h2.mean(0), 0.0)


def refit_growth(files: list[Path], streamed: bool) -> float:
    """How many MiB the covariances of all pairs in files take."""
    return common.growth(partial(large.moments_of, *files) if streamed else partial(whole, files))


def together() -> list[str]:
    """What two processes with half the candidates each print: seconds, and a sum that tells their counts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(bound.getsockname()[1]), "WORLD_SIZE": "2"}
    command = [sys.executable, "-m", "benchmarks.large", "share"]
    started = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=paths.ROOT, env=os.environ | address | {"RANK": f"{rank}"}
        )
        for rank in range(2)
    ]
    return [process.communicate()[0] for process in started]


def of_share() -> None:
    """One of these processes."""
    torch.set_num_threads(1)
    with processes.joined():
        x, y = views(TWO)
        own, start = share(TWO), time.process_time()
        better, tied = large.standing(x, y[own], own.start)
        print(time.process_time() - start, int(better @ np.arange(TWO)), int(tied.sum()))


def shared() -> common.Row:
    """The claim that half the candidates take half the processor time, with the same counts."""
    answers = [answer.split() for answer in together()]
    x, y = views(TWO)
    start = time.process_time()
    better, tied = evaluate.standing(x, y)
    alone = time.process_time() - start
    equal = all(answer[1:] == [str(int(better @ np.arange(TWO))), str(int(tied.sum()))] for answer in answers)
    return common.claim(
        "Exact ranks: each of two processes against one", f"{TWO} × {TWO}, d = {D}, processor time of the slower one",
        common.compared([max(float(answer[0]) for answer in answers)], [alone]), 1.5,
        note="the counts of both are those of one" if equal else "the counts DIFFER from those of one",
    )  # fmt: skip


def measure() -> list[common.Row]:
    """The rows of this script."""
    x, y = views(N)
    timing = common.paired(partial(counted, x, y, QUERIES), partial(multiplied, x, y, QUERIES), turns=3)
    setting = f"{QUERIES} of {N} queries × {N}, d = {D}, one direction, one thread"
    rows = [common.claim("Exact ranks against the bare products", setting, timing, 0.5)]
    took = common.apart(ranked_growth, 5_000)
    limit = common.compared([took], [MEMORY])
    rows.append(
        common.claim("Exact ranks: extra memory against a GiB", f"5000 of {N} queries × {N}, d = {D}", limit, 1, "MiB")
    )
    rows.append(shared())
    with tempfile.TemporaryDirectory() as folder:
        files = in_files(Path(folder))
        setting = f"{REFIT} pairs in two .npy files, d = {D}"
        memory = common.compared(*([common.apart(refit_growth, files, streamed)] for streamed in (True, False)))
        rows.append(common.claim("Refit from files in pieces against all in memory", setting, memory, 4, "MiB"))
        times = common.paired(partial(large.moments_of, *files), partial(whole, files), turns=2)
        rows.append(
            common.claim("Refit from files in pieces against all in memory", setting, times, note="processor time")
        )
    return rows


if __name__ == "__main__":
    sys.exit(of_share() if sys.argv[1:] == ["share"] else common.main(__doc__, measure))
