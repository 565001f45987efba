"""Qdrant finds what the index finds, in this process and over HTTP, in embeddings that `xm embed` wrote."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest
from qdrant_client import QdrantClient, models

from book.examples import vector_database
from xmlib.commands import app
from xmlib.retriever import Retriever

N, QUERIES, CLOSE = 80, 20, 1e-5


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A folder with items.parquet and queries.parquet, and what the index finds: ids (q, all) and scores (q, all)."""
    home = tmp_path_factory.mktemp("database")
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=(N, 4))
    view1, view2 = (hidden @ draw.normal(size=(4, d)) + 0.3 * draw.normal(size=(N, d)) for d in (8, 6))
    view2[N // 2 :] = view2[: N // 2]  # every score is there twice
    model = Retriever.train(view1, view2, method="linear_cca")
    model.index("view1_to_view2", view2, [f"item {i}" for i in range(N)])
    model.save(home / "model")
    table = pd.DataFrame(view2, columns=[f"x{i}" for i in range(6)])
    table["id"], table["label"] = model.indexes["view1_to_view2"].ids, np.where(np.arange(N) % 3, "many", "few")
    table.to_parquet(home / "items-table.parquet")
    np.save(home / "queries.npy", view1[:QUERIES])
    for source, view, out in (("items-table.parquet", 2, "items"), ("queries.npy", 1, "queries")):
        arguments = ["embed", home / "model", home / source, "--view", view, "--out", home / f"{out}.parquet"]
        arguments += ["--key", "x*"] if view == 2 else []
        assert app.main([str(one) for one in arguments]) == 0
    return home, model.search(view1[:QUERIES], N)


def answers(client, home):
    vector_database.load(client, "items", *vector_database.read(home / "items.parquet"))
    queries, _ = vector_database.read(home / "queries.parquet")
    return [vector_database.search(client, "items", query) for query in queries]


def assert_best_ten(answer, ids, scores):
    """Ids of an answer are those of the index, best first, where equal scores may change places."""
    own = dict(zip(ids, scores, strict=True))
    assert len({name for name, _ in answer}) == 10
    np.testing.assert_allclose([score for _, score in answer], scores[:10], atol=CLOSE)
    np.testing.assert_allclose([own[name] for name, _ in answer], scores[:10], atol=CLOSE)


@pytest.mark.parametrize("place", [":memory:", "folder"])
def test_the_ten_best_of_the_database_are_those_of_the_index(found, tmp_path, place):
    home, (ids, scores) = found
    client = vector_database.connect(place if place == ":memory:" else str(tmp_path / place))
    for answer, *own in zip(answers(client, home), ids, scores, strict=True):
        assert_best_ten(answer, *own)
    client.close()


def test_columns_of_the_table_choose_among_the_items_of_the_database(found):
    home, (ids, scores) = found
    client = vector_database.connect()
    answers(client, home)
    query = vector_database.read(home / "queries.parquet")[0][0]
    some = vector_database.search(client, "items", query, label="few")
    few = [(name, score) for name, score in zip(ids[0], scores[0], strict=True) if not int(name.split()[1]) % 3]
    assert_best_ten(some, *map(list, zip(*few, strict=True)))
    client.close()


class Server(BaseHTTPRequestHandler):
    """As much of Qdrant's REST interface as the example needs, answered from a database in memory."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer({"title": "qdrant", "version": "1.20.0"})

    def do_PUT(self):
        content = self.content()
        if self.path.startswith("/collections/items/points"):
            points = [models.PointStruct(**point) for point in content["points"]]
            self.server.kept.upsert("items", points)
            self.answer({"result": {"operation_id": 0, "status": "completed"}, "status": "ok", "time": 0})
        else:
            assert content["hnsw_config"] == {"m": 0}  # no graph, so that answers are exact
            self.server.kept.create_collection("items", vectors_config=models.VectorParams(**content["vectors"]))
            self.answer({"result": True, "status": "ok", "time": 0})

    def do_POST(self):
        content = self.content()
        points = self.server.kept.query_points(
            "items", query=content["query"]["nearest"], limit=content["limit"]
        ).points
        self.answer({"result": {"points": [point.model_dump() for point in points]}, "status": "ok", "time": 0})

    def content(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.kept = QdrantClient(":memory:")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_same_code_finds_the_same_over_http(found, address):
    home, (ids, scores) = found
    client = vector_database.connect(address)
    for answer, *own in zip(answers(client, home), ids, scores, strict=True):
        assert_best_ten(answer, *own)
    client.close()


def test_run_as_a_program_it_prints_ten_items_for_every_query(found, capsys):
    home, _ = found
    vector_database.main(str(home / "items.parquet"), str(home / "queries.parquet"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == QUERIES
    assert lines[0].startswith("row 1 item ")
    assert lines[0].count("item ") == 10
