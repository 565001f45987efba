"""Embeddings that `xm embed` wrote are put into Qdrant, in this process or on a server, and searched there.

Run it as `python book/examples/vector_database.py ITEMS.parquet QUERIES.parquet [PLACE]`.
"""

import sys
from pathlib import Path

import numpy as np
from pyarrow import parquet
from qdrant_client import QdrantClient, models


def read(file: Path | str) -> tuple[np.ndarray, list[dict]]:
    """Vectors (n, k), and what else the file has of each item."""
    table = parquet.read_table(file)
    vectors = np.stack(table["vector"].to_pylist()).astype(np.float32)
    return vectors, table.drop_columns("vector").to_pylist()


def connect(place: str = ":memory:") -> QdrantClient:
    """The database in memory, on a server by its address (http://…), or in a folder."""
    if place == ":memory:" or place.startswith(("http://", "https://")):
        return QdrantClient(place)
    return QdrantClient(path=place)


def load(client: QdrantClient, name: str, vectors: np.ndarray, about: list[dict]) -> None:
    """Put items into a new collection; Qdrant numbers its points, so that our ids are among what is known of each."""
    size = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
    exact = models.HnswConfigDiff(m=0)  # no graph, which a server would ask; leave it out for millions of items
    client.create_collection(name, vectors_config=size, hnsw_config=exact)
    client.upload_collection(name, vectors=vectors, payload=about, ids=range(len(vectors)), wait=True)


def search(client: QdrantClient, name: str, query: np.ndarray, k: int = 10, **matching: str) -> list[tuple[str, float]]:
    """Ids and cosines of the k best items, of those alone whose columns have the values in `matching`."""
    conditions = [models.FieldCondition(key=key, match=models.MatchValue(value=v)) for key, v in matching.items()]
    chosen = models.Filter(must=conditions) if conditions else None
    found = client.query_points(name, query=query.tolist(), limit=k, query_filter=chosen)
    return [(point.payload["id"], point.score) for point in found.points]


def main(items: str, queries: str, place: str = ":memory:") -> None:
    """Print the ten best items for every query."""
    client = connect(place)
    load(client, "items", *read(items))
    for query, about in zip(*read(queries), strict=True):
        print(about["id"], *(f"{name} ({score:.3f})" for name, score in search(client, "items", query)))
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
