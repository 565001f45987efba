"""Embeddings of finished runs, kept so that the book's explorer can search again without training."""

import io
from pathlib import Path

import numpy as np
from torch import Tensor

from xmlib import paths
from xmlib.data import cache
from xmlib.files import write_bytes


def path(record: dict) -> Path:
    """Where the embeddings of a record's run lie: named by its data and its ranks, so never those of another run."""
    name = f"{record['dataset']}-{record['method']}-seed{record['seed']}"
    return paths.RUNS / "embeddings" / f"{name}-{cache.key([record['data']['digest'], record['ranks']])}.npz"


def save(record: dict, x: Tensor, y: Tensor) -> Path:
    """The file in which the test embeddings (n, k) of both views are now kept, as float32."""
    buffer = io.BytesIO()
    np.savez(buffer, x=x.detach().cpu().float().numpy(), y=y.detach().cpu().float().numpy())
    write_bytes(path(record), buffer.getvalue())
    return path(record)
