"""The commands that train on a user's pairs, score, embed, index, search and refit, on tiny data."""

import json
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import sparse

from xmlib import evaluate
from xmlib.commands import app, model, printing, search
from xmlib.data.own.sides import Side
from xmlib.retriever import Retriever, choice, results_page
from xmlib.scoring import relevance

COLOURS = {"red": (255, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 255), "yellow": (250, 230, 0), "grey": (90, 90, 90)}
N = 40
PLANTED = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 pictures with texts in a table, two arrays, and a model of each: `model` and `numbers`."""
    home = tmp_path_factory.mktemp("pairs")
    names, lines = list(COLOURS), ["id;image;text"]
    for i in range(N):
        left, right = names[i % 5], names[(i // 5) % 5]
        picture = Image.new("RGB", (40 + i, 32), COLOURS[left])
        picture.paste(COLOURS[right], (20, 0, 40 + i, 32))
        picture.save(home / f"p{i}.png")
        said = f"{left} on the left, {right} on the right, number {i}{PLANTED if i == 3 else ''}"
        lines.append(f"{PLANTED if i == 3 else f'picture {i}'};p{i}.png;{said}")
    (home / "pairs.csv").write_text("\n".join(lines))
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=(80, 4))
    for name, d in (("a", 12), ("b", 6)):
        np.save(home / f"{name}.npy", hidden @ draw.normal(size=(4, d)) + 0.1 * draw.normal(size=(80, d)))
    train = ["--method", "linear_cca", "--pixels", "32"]
    assert app.main(["train", f"{home}/model", "--table", f"{home}/pairs.csv", *train]) == 0
    assert app.main(["train", f"{home}/numbers", *arrays(home), "--method", "linear_cca"]) == 0
    return home


def arrays(home):
    return ["--view1", f"{home}/a.npy", "--view2", f"{home}/b.npy"]


@pytest.fixture
def copied(folder, tmp_path):
    """The model of two arrays in a folder of its own, to be changed."""
    return Retriever.load(folder / "numbers").save(tmp_path / "model")


def said(capsys, *arguments) -> str:
    capsys.readouterr()
    assert app.main([str(one) for one in arguments]) == 0
    return capsys.readouterr().out


def test_training_prints_test_scores_and_each_epoch_on_a_line_of_its_own(folder, tmp_path, capsys):
    capsys.readouterr()
    line = ["train", f"{tmp_path}/m", *arrays(folder), "--method", "linear_nce", "--epochs", "2", "--d", "3"]
    assert app.main([*line, "--history", f"{tmp_path}/rows"]) == 0
    out, error = capsys.readouterr()
    assert [name in out for name in ("Linear CCA", "Chance", "validation MRR")] == [True] * 3
    assert max(map(len, out.splitlines()[:-1])) < 100
    assert re.findall(r"linear_nce: epoch (\d), loss", error) == ["1", "2"]
    made = Retriever.load(tmp_path / "m")
    assert (made.method, made.settings.d) == ("linear_nce", 3)
    assert set(made.indexes) == {"view1_to_view2", "view2_to_view1"}
    written = json.loads((tmp_path / "rows" / "linear_nce.json").read_text())
    assert written == {"method": "linear_nce", "stopped": "epochs", "history": made.about["history"]}


def test_training_of_all_methods_ends_with_a_recommendation_and_names_what_is_kept(folder, tmp_path, capsys):
    out = said(capsys, "train", tmp_path / "m", *arrays(folder), "--epochs", "1")
    kept = Retriever.load(tmp_path / "m").method
    assert f"({kept}): validation chose it" in " ".join(out.split())
    assert out.splitlines()[-1].endswith(f"({kept}) is in {tmp_path}/m")


def test_training_as_json_has_the_metrics_of_every_method(folder, tmp_path, capsys):
    line = ["train", tmp_path / "m", *arrays(folder), "--method", "linear_cca", "--json"]
    kept = json.loads(said(capsys, *line))
    assert (kept["chosen"], [trial["method"] for trial in kept["trials"]]) == ("linear_cca", ["linear_cca"])
    assert kept["trials"][0]["metrics"]["view1_to_view2"]["mrr"] > 0.5


@pytest.fixture(scope="module")
def sparse_views(tmp_path_factory):
    """The options that name pairs of sparse rows, which share what is in them, and of six numbers."""
    home = tmp_path_factory.mktemp("sparse")
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=(120, 4))
    there = draw.random((120, 60)) < 0.3
    sparse.save_npz(home / "a.npz", sparse.csr_array(np.where(there, hidden @ draw.normal(size=(4, 60)), 0)))
    np.save(home / "b.npy", hidden @ draw.normal(size=(4, 6)))
    return ["--view1", f"{home}/a.npz", "--view2", f"{home}/b.npy"]


def test_sparse_rows_are_trained_on_searched_and_scored(sparse_views, tmp_path, capsys):
    said(capsys, "train", tmp_path / "m", *sparse_views, "--method", "linear_cca")
    metrics = json.loads(said(capsys, "evaluate", tmp_path / "m", *sparse_views, "--json"))["metrics"]
    assert metrics["view1_to_view2"]["mrr"] > 0.3
    found = json.loads(said(capsys, "search", tmp_path / "m", sparse_views[1], "--row", 9, "-k", 3, "--json"))["found"]
    rows = sparse.load_npz(sparse_views[1])
    own = Retriever.load(tmp_path / "m").search(rows.toarray()[8], 3)[0].tolist()
    assert [one["id"] for one in found] == own


@pytest.fixture(scope="module")
def captioned(tmp_path_factory):
    """A table of 25 pictures with two captions each, mixed, and a model of it."""
    home, names = tmp_path_factory.mktemp("captioned"), list(COLOURS)
    lines = []
    for i in range(25):
        left, right = names[i % 5], names[i // 5]
        picture = Image.new("RGB", (40, 32), COLOURS[left])
        picture.paste(COLOURS[right], (20, 0, 40, 32))
        picture.save(home / f"p{i}.png")
        lines += [f"p{i}.png,{left} on the left and {right} on the right", f"p{i}.png,{right} is beside {left}"]
    order = np.random.default_rng(0).permutation(len(lines))
    (home / "pairs.csv").write_text("\n".join(["image,text", *(lines[i] for i in order)]))
    line = ["train", f"{home}/model", "--table", f"{home}/pairs.csv", "--method", "linear_cca", "--pixels", "32"]
    assert app.main([*line, "--test-share", "0.4"]) == 0
    return home


def test_any_caption_of_a_picture_is_right_and_a_picture_is_asked_once(captioned, capsys):
    line = ["evaluate", captioned / "model", "--table", captioned / "pairs.csv", "--hits"]
    found = json.loads(said(capsys, *line, "--json"))["metrics"]
    model = Retriever.load(captioned / "model")
    table = pd.read_csv(captioned / "pairs.csv")
    first = table.drop_duplicates("image")
    images, texts = ([captioned / name for name in first.image], list(table.text))
    x, y = torch.from_numpy(model.embed1(images)), torch.from_numpy(model.embed2(texts))
    owner = [list(first.image).index(name) for name in table.image]
    protocol = relevance.captions_both_ways(x, y, owner)
    for way, own in protocol.items():
        assert {name: found[way][name] for name in own} == pytest.approx(own, abs=1e-6)
    python = model.evaluate([captioned / name for name in table.image], texts)
    assert python["view1_to_view2"]["mrr"] == pytest.approx(protocol["view1_to_view2"]["mrr"], abs=1e-6)
    assert "hits" in said(capsys, *line)


def test_a_picture_with_several_captions_is_found_once(captioned):
    indexes = Retriever.load(captioned / "model").indexes
    assert (len(indexes["view2_to_view1"]), len(indexes["view1_to_view2"])) == (25, 50)


def test_linear_cca_is_left_out_where_its_dense_rows_do_not_fit_into_memory(
    sparse_views, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("xmlib.retriever.training.COPIES", 1e9)
    line = ["train", f"{tmp_path}/m", *sparse_views, "--method"]
    assert app.main([*line, "linear_cca"]) == 2
    assert "Linear CCA takes all 84 training items at once, about" in capsys.readouterr().err
    assert app.main([*line, "ccal_cont", "--epochs", "1", "--d", "3"]) == 0
    out, error = capsys.readouterr()
    assert "Linear CCA: left out, Linear CCA takes all 84 training items at once" in error
    assert out.splitlines()[-1].endswith(f"is in {tmp_path}/m")


def test_a_folder_with_something_else_is_refused_before_training(folder, tmp_path, capsys, monkeypatch):
    (tmp_path / "mine.txt").write_text("mine")
    monkeypatch.setattr("xmlib.retriever.choice.trials", None)
    assert app.main(["train", str(tmp_path), *arrays(folder)]) == 2
    assert "holds something else than a saved model" in capsys.readouterr().err


def test_scores_are_those_of_the_library(folder, capsys):
    line = ["evaluate", folder / "numbers", *arrays(folder)]
    found = json.loads(said(capsys, *line, "--json"))
    own = Retriever.load(folder / "numbers").evaluate(np.load(folder / "a.npy"), np.load(folder / "b.npy"))
    assert found["metrics"]["view2_to_view1"]["mrr"] == pytest.approx(own["view2_to_view1"]["mrr"], abs=1e-6)
    assert f"{own['view1_to_view2']['mrr']:.3f}" in said(capsys, *line)


def test_scores_of_so_many_pairs_are_of_as_many(folder, capsys):
    line = ["evaluate", folder / "numbers", *arrays(folder), "--items", "20", "--json"]
    assert json.loads(said(capsys, *line))["pairs"] == 20
    assert said(capsys, *line) == said(capsys, *line)
    assert said(capsys, *line) != said(capsys, *line, "--seed", "1")


def test_hits_and_distances_are_those_of_the_metrics(folder, capsys):
    line = ["evaluate", folder / "numbers", *arrays(folder)]
    kept = json.loads(said(capsys, *line, "--json"))
    for way, metrics in kept["metrics"].items():
        assert [row["hits"] for row in kept["hits"][way]] == [80 * metrics[f"r{k}"] / 100 for k in (1, 5, 10, 25)]
        assert metrics["min_distance"] <= metrics["median_distance"] <= metrics["max_distance"]
    printed = said(capsys, *line, "--hits")
    assert printed.startswith(said(capsys, *line))
    assert f"{kept['hits']['view2_to_view1'][0]['hits']:.3f}" in printed
    assert f"{kept['metrics']['view1_to_view2']['max_distance']:.3f}" in printed.splitlines()[-1]


def test_embeddings_in_both_forms_of_file_are_those_of_the_library(folder, tmp_path, capsys):
    parquet = pytest.importorskip("pyarrow.parquet")
    for out in ("e.npy", "e.parquet"):
        said(capsys, "embed", folder / "numbers", folder / "b.npy", "--view", 2, "--out", tmp_path / out)
    own = Retriever.load(folder / "numbers").embed2(np.load(folder / "b.npy"))
    table = parquet.read_table(tmp_path / "e.parquet").to_pydict()
    np.testing.assert_allclose(np.load(tmp_path / "e.npy"), own, atol=1e-6)  # files are read as float32
    assert np.array_equal(np.array(table["vector"], dtype=np.float32), np.load(tmp_path / "e.npy"))
    assert table["id"][:2] == ["row 1", "row 2"]


def parquet_of(capsys, tmp_path, *arguments):
    """The columns that `xm embed` writes, but for the vectors."""
    parquet = pytest.importorskip("pyarrow.parquet")
    said(capsys, "embed", *arguments, "--out", tmp_path / "e.parquet")
    found = parquet.read_table(tmp_path / "e.parquet").to_pydict()
    assert len(found.pop("vector")) == len(found["id"])
    return found


def test_what_a_table_says_of_an_item_goes_beside_its_vector(folder, tmp_path, capsys):
    lines = ["key,image,class,groups,year,", "a,p1.png,x,g,1990,", "b,gone.png,y,g,007,", "c,p2.png,x,h,,"]
    (tmp_path / "few.csv").write_text("\n".join(lines))
    options = ("--folder", folder, "--missing", "skip", "--view", 1)
    found = parquet_of(capsys, tmp_path, folder / "model", tmp_path / "few.csv", *options)
    assert found == {
        "id": ["a", "c"], "path": ["p1.png", "p2.png"], "label": ["x", "x"], "group": ["g", "h"],
        "year": ["1990", ""],
    }  # fmt: skip


def test_values_keep_their_types_where_the_table_has_some(folder, tmp_path, capsys):
    rows = [{"text": "red on the left", "n": 1, "tags": ["a"], "mixed": 1}, {"text": "blue", "n": 2, "mixed": "b"}]
    (tmp_path / "few.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = parquet_of(capsys, tmp_path, folder / "model", tmp_path / "few.jsonl", "--view", 2, "--key", "text")
    assert found == {
        "id": ["row 2", "row 3"], "text": ["red on the left", "blue"], "n": [1, 2], "tags": [["a"], None],
        "mixed": ["1", "b"],
    }  # fmt: skip


def test_a_column_keeps_its_name_where_another_has_the_usual_one_and_vectors_of_the_table_are_left_out(
    folder, tmp_path, capsys
):
    (tmp_path / "few.csv").write_text("id,words,text,vector\nx,red,other,0\ny,blue,other,1\n")
    options = ("--view", 2, "--key", "words", "--out", tmp_path / "e.parquet")
    assert app.main([str(one) for one in ("embed", folder / "model", tmp_path / "few.csv", *options)]) == 0
    assert "left out of the table, since these names are taken: vector" in capsys.readouterr().err
    found = parquet_of(capsys, tmp_path, folder / "model", tmp_path / "few.csv", *options[:4])
    assert found == {"id": ["x", "y"], "words": ["red", "blue"], "text": ["other", "other"]}


def test_files_of_a_folder_have_their_paths_lines_their_texts_and_columns_of_numbers_are_left_out(
    folder, tmp_path, capsys
):
    found = parquet_of(capsys, tmp_path, folder / "model", folder, "--view", 1)
    assert found["path"][:2] == [f"{folder}/p0.png", f"{folder}/p1.png"]
    (tmp_path / "few.txt").write_text("red\nblue\n")
    assert parquet_of(capsys, tmp_path, folder / "model", tmp_path / "few.txt", "--view", 2)["text"] == ["red", "blue"]
    (tmp_path / "few.csv").write_text("x1,x2,x3,x4,x5,x6,y\n1,2,3,4,5,6,7\n6,5,4,3,2,1,0\n")
    options = ("--view", 2, "--key", "x*")
    found = parquet_of(capsys, tmp_path, folder / "numbers", tmp_path / "few.csv", *options)
    assert found == {"id": ["row 2", "row 3"], "y": ["7", "0"]}


def test_pictures_of_a_folder_and_of_a_table_have_the_same_embeddings(folder, tmp_path, capsys):
    for source, out in (("", "folder.npy"), ("pairs.csv", "table.npy")):
        said(capsys, "embed", folder / "model", folder / source, "--view", 1, "--out", tmp_path / out)
    names = sorted(f"p{i}" for i in range(N))
    rows = [int(name[1:]) for name in names]
    np.testing.assert_allclose(np.load(tmp_path / "folder.npy"), np.load(tmp_path / "table.npy")[rows], atol=1e-6)


def test_a_text_finds_pictures_by_their_ids(folder, capsys):
    found = json.loads(said(capsys, "search", folder / "model", "red on the left", "-k", 5, "--json"))
    assert found["direction"] == "view2_to_view1"
    assert len({int(one["id"].split()[1]) % 5 for one in found["found"]} & {0}) == 1
    lines = said(capsys, "search", folder / "model", "red on the left", "-k", 5).splitlines()
    assert lines[0].split() == ["rank", "id", "score", "item"]
    assert [line.split("  ")[2] for line in lines[1:]] == [one["id"] for one in found["found"]]


def test_a_search_says_which_file_or_text_it_found(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    found = json.loads(said(capsys, "search", "model", "red on the left", "-k", 5, "--json"))["found"]
    assert [one["item"] for one in found] == [f"p{one['id'].split()[1]}.png" for one in found]
    found = json.loads(said(capsys, "search", "model", "p7.png", "-k", 5, "--json"))["found"]
    assert {one["item"].split()[-1] for one in found} == {one["id"].split()[1] for one in found}
    assert found[0]["item"] in said(capsys, "search", "model", "p7.png", "-k", 5)
    assert "item" not in json.loads(said(capsys, "search", "numbers", "a.npy", "--json"))["found"][0]


def test_a_long_item_loses_its_middle_in_a_table():
    short = search._short("a fox " * 20 + "in the snow")
    assert (len(short), short[:6], short[-11:]) == (search.LONGEST, "a fox ", "in the snow")


def test_a_column_of_paths_names_the_items_too(folder, tmp_path, capsys):
    made = Retriever.load(folder / "model").save(tmp_path / "m")
    more = ["index", made, folder / "pairs.csv", "--view", 1, "--key", "image", "--add"]
    assert app.main([str(one) for one in more]) == 2
    assert "name a column of other ids by --id-column" in capsys.readouterr().err
    said(capsys, *more, "--id-column", "image")
    index = Retriever.load(tmp_path / "m").indexes["view2_to_view1"]
    assert index.ids[N:] == [f"p{i}.png" for i in range(N)]


def test_without_an_index_search_says_how_to_make_one(folder, copied, capsys):
    said(capsys, "refit", copied, *arrays(folder))
    assert app.main(["search", str(copied), f"{folder}/a.npy"]) == 2
    assert f"make it by xm index {copied} ITEMS --view 2" in capsys.readouterr().err


def test_the_help_names_every_method():
    assert set(model.METHODS.split(", ")) == set(choice.ORDER)


def test_a_picture_finds_texts_and_numbers_find_numbers(folder, capsys):
    found = json.loads(said(capsys, "search", folder / "model", folder / "p7.png", "--json"))
    assert found["direction"] == "view1_to_view2"
    own = Retriever.load(folder / "numbers").search(np.load(folder / "a.npy")[7], 10)[0].tolist()
    typed = ",".join(map(repr, np.load(folder / "a.npy")[7].tolist()))
    for query in ([typed], [folder / "a.npy", "--row", 8]):
        found = json.loads(said(capsys, "search", folder / "numbers", *query, "--json"))
        assert [one["id"] for one in found["found"]] == own


def test_the_page_of_results_has_pictures_inside_and_runs_nothing(folder, tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr("xmlib.commands.search.webbrowser.open", opened.append)
    page = tmp_path / "found.html"
    said(capsys, "search", folder / "model", f"red left number {PLANTED}", "-k", N, "--open", "--page", page)
    text = page.read_text()
    assert opened == [page.as_uri()]
    assert text.count("data:image/png") == N
    assert "<script" not in text
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "default-src &#x27;none&#x27;" in text


def test_a_planted_script_among_the_texts_found_is_text(folder, tmp_path, capsys):
    page = tmp_path / "found.html"
    said(capsys, "search", folder / "model", folder / "p3.png", "-k", N, "--page", page)
    text = page.read_text()
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 2  # as an id and in the text


def test_a_sound_has_a_player_and_a_file_that_is_gone_is_named(folder, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "tone.wav", np.sin(np.arange(4000) / 10), 8000)
    (tmp_path / "noise.wav").write_bytes(b"RIFF")
    model = Retriever.load(folder / "numbers")
    files = [tmp_path / name for name in ("tone.wav", "gone.wav", "noise.wav")]
    results_page.remember(model, "view1_to_view2", Side("audio", files, "sounds"), ["a", "b", "c"], tmp_path / "m")
    query = Side("numbers", np.ones((1, 3), dtype=np.float32), "row 1")
    text = results_page.page(model, tmp_path / "m", "view1_to_view2", query, ["a", "b", "c", "d"], [0.4, 0.3, 0.2, 0.1])
    assert text.count("<audio controls") == 1
    assert "../gone.wav is not there any more" in text
    assert "../noise.wav cannot be shown" in text


def test_without_a_browser_the_page_is_written_beside_the_model(folder, capsys, monkeypatch):
    monkeypatch.setattr("xmlib.commands.search.webbrowser.open", lambda address: False)
    assert app.main(["search", f"{folder}/model", "red", "--open"]) == 0
    assert capsys.readouterr().err.endswith("there is no browser to open it in\n")
    assert (folder / "model-search.html").is_file()


def test_items_replace_those_of_an_index_or_are_added_to_them(folder, copied, tmp_path, capsys):
    np.save(tmp_path / "few.npy", np.load(folder / "b.npy")[:5])
    said(capsys, "index", copied, tmp_path / "few.npy", "--view", 2)
    assert Retriever.load(copied).indexes["view1_to_view2"].ids == [f"row {i}" for i in range(1, 6)]
    (tmp_path / "more.csv").write_text("id," + ",".join("abcdef") + "\nnew,1,2,3,4,5,6\nnewer,6,5,4,3,2,1.5\n")
    said(capsys, "index", copied, tmp_path / "more.csv", "--view", 2, "--add")
    assert Retriever.load(copied).indexes["view1_to_view2"].ids[5:] == ["new", "newer"]


def ids_of(model):
    return Retriever.load(model).indexes["view1_to_view2"].ids


def test_items_are_removed_by_their_ids_and_replaced_in_one_step(folder, copied, tmp_path, capsys):
    (tmp_path / "gone.txt").write_text("row 3\nrow 80\n")
    out = said(capsys, "index", copied, "--view", 2, "--remove", "row 1", "--remove-list", tmp_path / "gone.txt")
    assert out == "77 items can be searched view1 → view2\n"
    assert ids_of(copied)[:2] == ["row 2", "row 4"]
    (tmp_path / "other.csv").write_text("id,a,b,c,d,e,f\nrow 2,1,2,3,4,5,6\n")
    said(capsys, "index", copied, tmp_path / "other.csv", "--view", 2, "--add", "--remove", "row 2")
    changed = Retriever.load(copied)
    assert changed.indexes["view1_to_view2"].ids[-1] == "row 2"
    np.testing.assert_allclose(
        changed.indexes["view1_to_view2"].vectors[-1], changed.embed2([[1, 2, 3, 4, 5, 6]])[0], atol=1e-6
    )


def test_an_item_with_a_number_for_an_id_is_removed_by_it(copied, capsys):
    model = Retriever.load(copied)
    model.index("view1_to_view2", np.eye(6))
    model.save(copied)
    said(capsys, "index", copied, "--view", 2, "--remove", "4")
    assert ids_of(copied) == [0, 1, 2, 3, 5]


def test_what_was_removed_is_not_kept_for_the_page_of_results(folder, tmp_path, capsys):
    model = Retriever.load(folder / "model").save(tmp_path / "model")
    said(capsys, "index", model, "--view", 2, "--remove", "picture 7")
    kept = Retriever.load(model).about["items"]["view1_to_view2"]["of"]
    assert ("picture 7" in kept, "picture 8" in kept, len(kept)) == (False, True, N - 1)


def test_the_rows_of_a_further_array_are_numbered_on(folder, copied, tmp_path, capsys):
    more = np.load(folder / "b.npy")[:3] * 2
    np.save(tmp_path / "more.npy", more)
    said(capsys, "index", copied, tmp_path / "more.npy", "--view", 2, "--add")
    index = Retriever.load(copied).indexes["view1_to_view2"]
    assert list(index.ids) == [f"row {i}" for i in range(1, 84)]
    queries = Retriever.load(copied).embed2(more)
    assert [ids[0] for ids in index.search(queries, 1)[0]] == ["row 81", "row 82", "row 83"]


def test_a_bank_corrects_the_index_as_the_library_does_and_stays_when_items_are_added(folder, copied, tmp_path, capsys):
    np.save(tmp_path / "bank.npy", np.load(folder / "a.npy")[:50])
    assert "less a correction by 50 items" in said(
        capsys, "index", copied, "--view", 2, "--bank", tmp_path / "bank.npy"
    )
    own = Retriever.load(folder / "numbers")
    items, queries = np.load(folder / "b.npy"), np.load(folder / "a.npy")
    own.index("view1_to_view2", items, ids_of(folder / "numbers"), bank=queries[:50])
    ids, scores = Retriever.load(copied).search(queries, 5)
    np.testing.assert_array_equal(ids, own.search(queries, 5)[0])
    np.testing.assert_allclose(scores, own.search(queries, 5)[1], atol=1e-6)
    (tmp_path / "more.csv").write_text("id,a,b,c,d,e,f\nnew,1,2,3,4,5,6\n")
    said(capsys, "index", copied, tmp_path / "more.csv", "--view", 2, "--add")
    own.indexes["view1_to_view2"].add(own.embed2([[1, 2, 3, 4, 5, 6]]), ["new"])
    np.testing.assert_allclose(Retriever.load(copied).search(queries, 81)[1], own.search(queries, 81)[1], atol=1e-6)


def test_items_and_their_bank_come_from_two_columns_of_a_table(folder, tmp_path, capsys):
    model = Retriever.load(folder / "model").save(tmp_path / "model")
    table = folder / "pairs.csv"
    said(capsys, "index", model, table, "--view", 2, "--key", "text", "--bank", table, "--bank-key", "image")
    made = Retriever.load(model)
    index = made.indexes["view1_to_view2"]
    np.testing.assert_allclose(index.bank, made.indexes["view2_to_view1"].vectors, atol=1e-5)
    assert (len(index), index.ids[0]) == (N, "picture 0")


def test_refitting_by_command_is_refitting_and_drops_the_indexes(folder, copied, capsys):
    own = Retriever.load(copied)
    views = np.load(folder / "a.npy"), np.load(folder / "b.npy")
    own.refit(*views)
    assert "80 pairs" in said(capsys, "refit", copied, *arrays(folder))
    again = Retriever.load(copied)
    np.testing.assert_allclose(again.embed1(views[0]), own.embed1(views[0]), atol=1e-4)
    assert not again.indexes
    assert "estimated on 50 pairs" in said(capsys, "refit", copied, *arrays(folder), "--items", 50)
    assert not np.allclose(Retriever.load(copied).embed1(views[0]), own.embed1(views[0]), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "{}/new"], "view1 is not given"),
        (["train", "{}/new", "--table", "nowhere.csv"], "'nowhere.csv' is not there"),
        (["train", "{}/new", "--table", "{}/pairs.csv", "--method", "magic"], "There is no method 'magic'"),
        (["train", "{}/new", "--table", "{}/pairs.csv", "--d", "-1"], "Invalid value for '--d'"),
        (["train", "{}/new", "--table", "{}/pairs.csv", "--missing", "no"], "missing 'no' is unknown"),
        (["evaluate", "{}", "--table", "{}/pairs.csv"], "holds no saved retriever"),
        (["evaluate", "{}/numbers", "--view1", "{}/b.npy", "--view2", "{}/a.npy"], "12 numbers an item"),
        (["evaluate", "{}/model", "--table", "{}/pairs.csv", "--split", "test"], "none of the 40 pairs has the split"),
        (["evaluate", "{}/model", "--table", "{}/pairs.csv", "--items", "41"], "41 pairs were asked for of 40"),
        (["embed", "{}/numbers", "{}/a.npy", "--view", "1", "--out", "e.txt"], "ends in '.txt'"),
        (["embed", "{}/numbers", "{}/b.npy", "--view", "1", "--out", "{}/e.npy"], "12 numbers an item"),
        (["embed", "{}/model", "{}/a.npy", "--view", "1", "--out", "{}/e.npy"], "holds numbers, so its kind is no 'im"),
        (["embed", "{}/model", "nowhere.csv", "--view", "1", "--out", "{}/e.npy"], "'nowhere.csv' is not there"),
        (["index", "{}/model", "{}/pairs.csv", "--view", "3"], "Invalid value for '--view'"),
        (["index", "{}/model", "{}/pairs.csv", "--view", "2", "--key", "words"], "no column 'words'"),
        (["index", "{}/model", "{}/pairs.csv", "--view", "2", "--add"], "is given twice"),
        (["index", "{}/model", "--view", "2"], "give ITEMS, --remove or --bank"),
        (["index", "{}/model", "--view", "2", "--add"], "give ITEMS, --remove or --bank"),
        (["index", "{}/model", "{}/pairs.csv", "--view", "2", "--remove", "picture 1"], "none is left to remove"),
        (["index", "{}/model", "--view", "2", "--remove", "fox"], "There is no item 'fox' in the index of 40"),
        (["index", "{}/model", "--view", "2", "--remove-list", "ids.csv"], "give a .txt with an id on each line"),
        (["index", "{}/numbers", "--view", "2", "--bank", "{}/b.npy"], "12 numbers an item"),
        (["search", "{}/model", "red", "-k", "41"], "k = 41 items were asked for of 40"),
        (["search", "{}/model", "red", "--direction", "up"], "There is no direction 'up'"),
        (["search", "{}/model", "zebra"], "no word that training has seen"),
        (["search", "{}/model", ""], "The query is empty"),
        (["search", "{}/model", "gone.png"], "there is no file 'gone.png'"),
        (["search", "{}/model", "red", "--direction", "view1_to_view2"], "is none of the images"),
        (["search", "{}/numbers", "a red fox"], "is neither numbers nor a file"),
        (["search", "{}/numbers", "1,2"], "12 numbers an item"),
        (["search", "{}/numbers", "{}/a.npy", "--row", "81"], "row 81 was asked for of the 80"),
        (["refit", "{}/numbers", "--view1", "{}/a.npy"], "say by key1 and key2 (a command: --key1, --key2)"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_status_2(folder, capsys, arguments, words):
    capsys.readouterr()
    assert app.main([one.replace("{}", str(folder)) for one in arguments]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    last = error.splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last


def test_on_a_terminal_progress_stays_on_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    line = printing.Progress()
    line("epoch 10")
    line("epoch 2")
    line.keep("done")
    assert capsys.readouterr().err == "\repoch 10\repoch 2 \rdone   \n"


def test_in_a_log_progress_has_two_lines_of_each_training_and_then_one_in_so_many_seconds(capsys):
    line = printing.Progress(seconds=1000)
    for training in ("first", "second"):
        for epoch in range(1, 6):
            line(f"{training} {epoch}")
        line.keep(f"{training} done")
    expected = [f"{training} {said}" for training in ("first", "second") for said in ("1", "2", "done")]
    assert capsys.readouterr().err.splitlines() == expected


def test_json_has_null_where_a_number_is_none():
    given = {"a": float("nan"), "b": [np.float32(0.5), float("inf")], "c": np.int64(3)}
    assert json.loads(printing.as_json(given)) == {"a": None, "b": [0.5, None], "c": 3}


def test_a_table_lets_no_control_code_reach_the_terminal():
    assert printing.table([{"id": "a\x1b[31m\nb", "score": 0.5}]).splitlines() == ["id        score", "a [31m b  0.500"]


# ---- xm explore ------------------------------------------------------------------------------------------------


def explored(path):
    """What a page of `xm explore` holds."""
    source = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="explorer-data">(.*?)</script>', source, re.S)[1])["sets"][0]


@pytest.fixture(scope="module")
def explorer_page(folder, tmp_path_factory):
    page = tmp_path_factory.mktemp("explored") / "page.html"
    assert app.main(["explore", f"{folder}/model", f"{folder}/model", "--page", str(page)]) == 0
    return page


def test_explore_shows_the_held_out_pairs_with_the_ranks_of_the_library(folder, explorer_page):
    loaded, shown = Retriever.load(folder / "model"), explored(explorer_page)
    held = loaded.about["held_out"]
    assert sorted(shown["labels"]) == sorted(held)
    x, y = (loaded.indexes[way] for way in ("view2_to_view1", "view1_to_view2"))
    x, y = (torch.from_numpy(i.vectors[[list(i.ids).index(one) for one in held]]) for i in (x, y))
    for way, ranks in zip(shown["runs"][0]["ways"], (evaluate.ranks(x, y), evaluate.ranks(y, x)), strict=True):
        assert way["ranks"] == [ranks[held.index(shown["labels"][q])] for q in range(shown["queries"])]


def test_explore_finds_several_texts_of_one_picture_right(folder, tmp_path):
    lines = ["image;text", *(f"p{i // 2}.png;red on the left, number {i}" for i in range(12))]
    (folder / "captions.csv").write_text("\n".join(lines))
    page = tmp_path / "page.html"
    assert app.main(["explore", f"{folder}/model", "--table", f"{folder}/captions.csv", "--page", str(page)]) == 0
    shown = explored(page)
    assert shown["queries"] == 6
    assert shown["candidates"] == [12, 6]
    assert [len(right) for right in shown["right"][0]] == [2] * 6
    assert [len(right) for right in shown["right"][1]] == [1] * 6


def test_explore_draws_numbers_and_names_them_by_their_rows(folder, tmp_path):
    page = tmp_path / "page.html"
    assert app.main(["explore", f"{folder}/numbers", *arrays(folder), "--queries", "5", "--page", str(page)]) == 0
    shown = explored(page)
    assert shown["queries"] == 5
    assert all(one.startswith("data:image/svg+xml;base64,") for one in shown["views"][0]["pictures"])


def test_explore_names_a_picture_that_is_gone(folder, tmp_path):
    for file in ("pairs.csv", *(f"p{i}.png" for i in range(N))):
        shutil.copy(folder / file, tmp_path)
    shutil.copytree(folder / "model", tmp_path / "model")
    gone = Retriever.load(tmp_path / "model").about["held_out"][0]
    picture = f"p{pd.read_csv(tmp_path / 'pairs.csv', sep=';')['id'].tolist().index(gone)}.png"
    (tmp_path / picture).unlink()
    assert app.main(["explore", str(tmp_path / "model")]) == 0
    view = explored(tmp_path / "model-explore.html")["views"][0]
    assert [f"{picture} cannot be shown"] == [
        words for words, address in zip(view["words"], view["pictures"], strict=True) if not address
    ]


@pytest.mark.parametrize("phone", [False, True])
def test_the_page_of_explore_answers_and_runs_nothing_that_a_text_holds(folder, explorer_page, chromium, phone):
    from playwright.sync_api import sync_playwright

    shown, wrong = explored(explorer_page), []
    assert any(PLANTED in label for label in explored_all(folder, explorer_page.parent)["labels"])
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        page = started.new_context(viewport=size, has_touch=phone).new_page()
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda sent: None if sent.url.startswith(("file:", "data:")) else wrong.append(sent.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
        page.goto((explorer_page.parent / "all.html").as_uri())
        planted = page.locator("[role=option]").filter(has=page.locator("img")).count()
        page.goto(explorer_page.as_uri())
        option = page.locator("#explorer-query-2")
        (option.tap if phone else option.click)()
        ranks = [float(one.get_attribute("data-rank")) for one in page.locator(".x-answer-rank").all()]
        assert ranks == [run["ways"][0]["ranks"][2] for run in shown["runs"]]
        page.locator("#explorer-queries").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("[aria-selected=true]").get_attribute("id") == "explorer-query-3"
        page.get_by_label("view 2 → view 1").check()
        ranks = [float(one.get_attribute("data-rank")) for one in page.locator(".x-answer-rank").all()]
        assert ranks == [run["ways"][1]["ranks"][3] for run in shown["runs"]]
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        started.close()
    assert planted > 0
    assert wrong == []


def explored_all(folder, beside):
    """The page of all pairs, that with the planted text among them, as data."""
    page = beside / "all.html"
    table = ["--table", f"{folder}/pairs.csv", "--id-column", "id"]
    assert app.main(["explore", f"{folder}/model", *table, "--page", str(page)]) == 0
    assert PLANTED not in page.read_text(encoding="utf-8")
    return explored(page)


def test_explore_says_in_a_sentence_what_is_missing(folder, copied, capsys):
    loaded = Retriever.load(copied)
    loaded.indexes.pop("view1_to_view2")
    loaded.save(copied)
    for arguments, words in (
        ([str(copied)], "has no index of both views"),
        ([f"{folder}/numbers", f"{folder}/model"], "has no index of these pairs"),
        ([f"{folder}/img"], "holds no saved retriever"),
        ([f"{folder}/numbers", *arrays(folder), "--split", "dev"], "has the split 'dev'"),
    ):
        capsys.readouterr()
        assert app.main(["explore", *arguments]) == 2
        said_now = capsys.readouterr().err.strip().splitlines()
        assert words in said_now[-1]
        assert said_now[-1].startswith("error: ")
