"""Small records of made-up runs, with every key that the book reads, and small archives."""

import io
import tarfile

import numpy as np

from xmlib import evaluate
from xmlib.runs import records

FORTH, BACK = evaluate.DIRECTIONS
N, GROUPS = 60, 12  # queries, and the groups of tunes they come from


def scores(quality: float, seed: int, tie: bool = False) -> dict:
    """What a record keeps of a test, for made-up ranks: the higher `quality`, the better."""
    rng = np.random.default_rng(seed)
    kept: dict = {"metrics": {}, "ranks": {}, "ties": {}}
    for direction in evaluate.DIRECTIONS:
        better = np.minimum((rng.exponential(1 / quality, N) ** 2).astype(int), N - 3)
        tied = np.ones(N, dtype=int)
        tied[5] = 3 if tie else 1
        interval = evaluate.bootstrap_interval(evaluate.reciprocal_ranks(better, tied), query_groups())
        kept["metrics"][direction] = evaluate.metrics_of(better, tied) | {
            "mean_distance": 0.4, "mrr_interval": list(interval), "hubness": 1.5,
        }  # fmt: skip
        kept["ranks"][direction] = evaluate.expected_ranks(better, tied).tolist()
        kept["ties"][direction] = {str(i): int(tied[i]) for i in np.flatnonzero(tied > 1)}
    return kept


def query_groups() -> list[int]:
    return [i % GROUPS for i in range(N)]


def record(method: str = "ccal_cont", profile: str = "quick", seed: int = 1, quality: float = 1.0, **changes) -> dict:
    """A small record with every key that the report reads."""
    converged = changes.pop("converged", profile != "quick")
    epochs = 4 if profile == "quick" else 9
    curve = [round(quality / 3 * (1 - 0.7**e), 4) for e in range(1, epochs + 1)]
    history = [
        {
            "epoch": e,
            "phase": 0,
            "lr": 2e-3,
            "loss": 1 / e,
            "train_mrr": min(1, 1.2 * v),
            "valid_mrr": v,
            "seconds": 1.0,
        }
        for e, v in enumerate(curve, start=1)
    ]
    return {
        "format": records.FORMAT, "notebook": "audio_score", "dataset": "audio_score", "variant": "", "method": method,
        "profile": profile,
        "seed": seed, "parameters": {}, "settings": {"width": 1 / 3},
        "data": {"digest": "d1" * 32, "train": 4000, "valid": 50, "test": N, "test_groups": query_groups()},
        "history": history, "best_epoch": epochs, "stopped": "patience" if converged else "epochs",
        "converged": converged, "valid_mrr": curve[-1],
        **scores(quality, seed),
        "baselines": {"linear_cca": {"components": 9, **scores(0.7, 99)},
                      "chance": {"metrics": dict.fromkeys(evaluate.DIRECTIONS, evaluate.chance_metrics(N))}},
        "wall_seconds": 5700.0, "peak_memory_mb": 812.3,
        "machine": {"processor": "A|B_processor* @ 2 GHz", "cores": 2, "threads": 1, "device": "cpu",
                    "system": "Linux", "python": "3.11"},
        "packages": {}, "commit": "0123456789ab", "code": {"cca": "abcdef"}, **changes,
    }  # fmt: skip


def archive(files: dict[str, bytes], link: str, packed: str) -> bytes:
    """A tar archive of these files and of a link out of it, packed by gz or xz."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{packed}") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
        member = tarfile.TarInfo(link)
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(member)
    return data.getvalue()
