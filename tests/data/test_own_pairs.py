"""Facts about pairs read from arrays, tables and folders, each on small files as others save them."""

import io
import struct
import wave
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import io as matlab
from scipy import sparse

from xmlib.data.own import arrays, one_view, pairs, spreadsheet
from xmlib.errors import InputError

N = 20


@pytest.fixture
def views(tmp_path):
    """Two arrays and a folder with both as .npy."""
    draw = np.random.default_rng(0)
    one, other = draw.normal(size=(N, 5)), draw.normal(size=(N, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", one)
    np.save(tmp_path / "b.npy", other)
    return one, other, tmp_path


def refused(call, *parts):
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in parts), message


def draw(folder, count=N):
    for i in range(count):
        Image.new("RGB", (8, 6), (i, 2 * i, 255 - i)).save(folder / f"p{i}.png")


def table(file, rows, separator=",", encoding="utf-8", line="\n"):
    file.write_bytes((line.join(separator.join(row) for row in rows) + line).encode(encoding))
    return file


def assert_views(found, one, other):
    np.testing.assert_array_equal(found.view1.items, one.astype(np.float32))
    np.testing.assert_array_equal(found.view2.items, other)


@pytest.mark.parametrize("form", ["npy", "npz", "mat", "parquet", "memory"])
def test_two_arrays_come_back_whatever_file_they_are_in(views, form):
    one, other, folder = views
    if form == "npz":
        np.savez_compressed(folder / "x.npz", images=one, words=other)
        found = pairs.read(folder / "x.npz")
    elif form == "mat":
        matlab.savemat(folder / "x.mat", {"images": one, "words": other}, do_compression=True)
        found = pairs.read(folder / "x.mat")
    elif form == "parquet":
        pd.DataFrame(one).rename(columns=str).to_parquet(folder / "a.parquet")
        pd.DataFrame({"vector": list(other)}).to_parquet(folder / "b.parquet")
        found = pairs.read(folder / "a.parquet", folder / "b.parquet")
    elif form == "npy":
        found = pairs.read(folder / "a.npy", str(folder / "b.npy"))
    else:
        found = pairs.read(one, other)
    assert_views(found, one, other)
    assert found.view1.kind == found.view2.kind == "numbers"


def sparse_rows(features=500) -> sparse.csr_matrix:
    return sparse.random(N, features, 0.05, format="csr", random_state=0, dtype=np.float32)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "mat", "memory"])
def test_sparse_rows_stay_sparse_whatever_file_they_are_in(views, form, capsys):
    _, other, folder = views
    rows = sparse_rows()
    if form == "mat":
        matlab.savemat(folder / "s.mat", {"words": sparse.csc_array(rows)}, do_compression=True)
    elif form != "memory":
        sparse.save_npz(folder / f"s.{form}.npz", rows.asformat(form))
    given = {"mat": folder / "s.mat", "memory": rows}.get(form, folder / f"s.{form}.npz")
    found = pairs.read(given, other)
    assert sparse.issparse(found.view1.items)
    np.testing.assert_array_equal(found.view1.items.toarray(), rows.toarray())
    assert "numbers, 500 each, sparse: 5.0% are not 0" in capsys.readouterr().out
    np.testing.assert_array_equal(found.take([3, 1]).view1.items.toarray(), rows.toarray()[[3, 1]])


def test_a_sparse_row_that_is_not_finite_is_named(views):
    _, other, _ = views
    rows = sparse_rows()
    rows.data[0] = np.nan
    refused(lambda: pairs.read(rows, other), f"row {np.flatnonzero(np.diff(rows.indptr))[0] + 1}", "NaN or infinite")


def test_equal_sparse_rows_are_refused_as_equal_dense_ones_are(views):
    _, other, _ = views
    refused(lambda: pairs.read(sparse.csr_matrix(np.tile([0, 1, 0, 2], (N, 1))), other), "are equal")


@pytest.mark.parametrize(("part", "value"), [("indices", 500), ("indices", -1), ("indptr", 10**6)])
def test_a_sparse_file_with_an_index_out_of_range_is_refused(tmp_path, part, value):
    rows = sparse_rows()
    parts = {"indices": rows.indices, "indptr": rows.indptr, "data": rows.data, "shape": rows.shape, "format": b"csr"}
    parts[part] = np.array(parts[part])
    parts[part][5] = value
    np.savez(tmp_path / "s.npz", **parts)
    refused(lambda: arrays.load(tmp_path / "s.npz"), "cannot be read as .npz")


def test_a_sparse_file_of_another_form_or_size_is_refused_in_a_sentence(tmp_path):
    sparse.save_npz(tmp_path / "d.npz", sparse.dia_array(sparse.eye(N)))
    refused(lambda: arrays.load(tmp_path / "d.npz"), "in the form 'dia'")
    empty = sparse.csr_array((10, 10**15))
    sparse.save_npz(tmp_path / "w.npz", empty)
    refused(lambda: arrays.load(tmp_path / "w.npz"), "GB of memory are free")


def test_arrays_of_a_file_known_by_their_names_are_no_views(views):
    one, other, folder = views
    labels, groups = np.arange(N) % 3, np.arange(N) // 2
    np.savez(folder / "x.npz", label=labels, x=one, y=other, group=groups, id=[f"i{i}" for i in range(N)])
    found = pairs.read(folder / "x.npz", key1="y", key2="x")
    assert_views(found, other, one.astype(np.float32))
    assert (found.labels[4], found.groups[5], found.ids[6]) == ("1", "2", "i6")


def test_three_arrays_in_a_file_have_to_be_named(views):
    one, other, folder = views
    np.savez(folder / "x.npz", a=one, b=other, c=one)
    refused(lambda: pairs.read(folder / "x.npz"), "a, b, c", "key1")
    assert_views(pairs.read(folder / "x.npz", key1="c", key2="b"), one, other)


def test_what_was_inferred_is_printed_and_can_be_silenced(views, capsys):
    _, _, folder = views
    pairs.read(folder / "a.npy", folder / "b.npy")
    assert capsys.readouterr().out.splitlines() == [
        "20 pairs", "view1 (a.npy): numbers, 5 each", "view2 (b.npy): numbers, 3 each"
    ]  # fmt: skip
    pairs.read(folder / "a.npy", folder / "b.npy", quiet=True)
    assert capsys.readouterr().out == ""


def test_items_of_several_dimensions_become_rows_of_numbers(views):
    one, _, _ = views
    found = pairs.read(np.arange(N * 6).reshape(N, 2, 3), one)
    np.testing.assert_array_equal(found.view1.items[1], [6, 7, 8, 9, 10, 11])


def test_texts_in_an_array_or_a_line_each_are_texts(views):
    one, _, folder = views
    said = [f"a fox, number {i}" for i in range(N)]
    (folder / "said.txt").write_bytes("\r\n".join(said).encode("utf-16"))
    for texts in (np.array(said), said, folder / "said.txt"):
        found = pairs.read(one, texts)
        assert (found.view2.kind, found.view2.items) == ("texts", said)


def test_views_of_unequal_lengths_are_refused(views):
    one, other, _ = views
    refused(lambda: pairs.read(one, other[:-1]), "20 items", "19", "the same number")


def test_too_few_rows_are_refused(views):
    one, other, _ = views
    refused(lambda: pairs.read(one[:1], other[:1]), "1 usable pairs are too few", "at least 10")


def test_rows_that_are_all_equal_are_refused(views):
    one, other, _ = views
    refused(lambda: pairs.read(one, np.ones_like(other)), "all 20 items of view2 are equal")
    refused(lambda: pairs.read(["a fox"] * N, one), "all 20 items of view1 are equal")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_number_that_is_none_stops_or_is_left_out_and_named(views, value):
    one, other, _ = views
    one[4, 2] = value
    refused(lambda: pairs.read(one, other), "1 of 20", "row 5: NaN or infinite in view1", "set missing to 'skip'")
    found = pairs.read(one, other, missing="skip")
    assert found.left_out == [("row 5", "NaN or infinite in view1")]
    assert len(found) == N - 1
    assert np.isfinite(found.view1.items).all()


def test_an_array_of_objects_is_refused_unread(views):
    one, other, folder = views
    np.save(folder / "o.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    np.savez(folder / "o.npz", x=np.array([{}, 1], dtype=object), y=one, allow_pickle=True)
    for file, key in (("o.npy", ""), ("o.npz", "x")):
        refused(lambda file=file, key=key: arrays.load(folder / file, key), "pickled Python objects")
    refused(lambda: pairs.read([{}] * N, other), "Python objects")
    matlab.savemat(folder / "o.mat", {"x": np.array([[1], "two"], dtype=object)})
    refused(lambda: pairs.read(folder / "o.mat", other, key1="x"), "no array 'x'")


def header(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_a_header_that_claims_terabytes_allocates_nothing(tmp_path):
    (tmp_path / "x.npy").write_bytes(header((10**6, 10**6)) + bytes(800))
    refused(lambda: arrays.load(tmp_path / "x.npy"), "has 800 bytes", "8,000,000,000,000")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", header((10**6, 10**6)) + bytes(800))
    refused(lambda: arrays.load(tmp_path / "x.npz"), "is cut short", "8,000,000,000,000")


def test_a_packed_array_larger_than_the_memory_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((1000, 1000)))
    matlab.savemat(tmp_path / "x.mat", {"x": np.zeros((1000, 1000))}, do_compression=True)
    pd.DataFrame(np.zeros((1000, 1000))).rename(columns=str).to_parquet(tmp_path / "x.parquet")
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 10_000})())
    for suffix in ("npz", "mat", "parquet"):
        refused(lambda suffix=suffix: arrays.load(tmp_path / f"x.{suffix}"), "GB of memory are free")


@pytest.mark.parametrize("suffix", ["npy", "npz", "mat", "parquet"])
def test_a_file_with_changed_bytes_is_read_or_refused_in_a_sentence(views, suffix):
    one, other, folder = views
    np.savez_compressed(folder / "a.npz", x=one)
    matlab.savemat(folder / "a.mat", {"x": one}, do_compression=True)
    pd.DataFrame(one).rename(columns=str).to_parquet(folder / "a.parquet")
    whole, file, outcomes = (folder / f"a.{suffix}").read_bytes(), folder / f"changed.{suffix}", set()
    for seed in range(40):
        draws = np.random.default_rng(seed)
        content = bytearray(whole)
        content[int(draws.integers(min(len(whole), 300)))] = int(draws.integers(256))
        file.write_bytes(content)
        try:
            pairs.read(file, other, quiet=True)
            outcomes.add("read")
        except InputError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize("suffix", ["npy", "npz", "mat", "parquet"])
@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_file_cut_short_is_refused_in_a_sentence(views, suffix, kept):
    one, other, folder = views
    np.savez(folder / "a.npz", x=one)
    matlab.savemat(folder / "a.mat", {"x": one}, do_compression=True)
    pd.DataFrame(one).rename(columns=str).to_parquet(folder / "a.parquet")
    file = folder / f"a.{suffix}"
    file.write_bytes(file.read_bytes()[:kept])
    refused(lambda: pairs.read(file, other), f"a.{suffix}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_a_table_is_read_however_a_spreadsheet_saves_it(tmp_path, encoding, separator, line):
    said = [f'"Füchse, weiß;\n{i} Stück"' for i in range(N)]
    rows = [["Bild", "Text"], *([f"p{i}.png", text] for i, text in enumerate(said))]
    draw(tmp_path)
    found = pairs.read(table=table(tmp_path / "x.csv", rows, separator, encoding, line))
    assert (found.view1.kind, found.view2.kind) == ("images", "texts")
    assert found.view2.items == [text.strip('"') for text in said]
    assert encoding.removesuffix("-sig") in found.found[0]


def test_an_excel_table_with_a_missing_picture_and_an_empty_text_goes_on_without_both(tmp_path, capsys):
    draw(tmp_path)
    rows = [["image", "text", "group"], *([f"p{i}.png", f'"fox\n{i}"', f"g{i // 2}"] for i in range(N))]
    rows += [["gone.png", "a fox", "g"], ["p3.png", "", "g"]]
    file = table(tmp_path / "x.csv", rows, ";", "utf-8-sig", "\r\n")
    refused(lambda: pairs.read(table=file), "2 of 22", "gone.png", "the text of column text is empty")
    found = pairs.read(table=file, missing="skip")
    assert found.left_out == [
        ("row 22", "there is no file 'gone.png'"), ("row 23", "the text of column text is empty")
    ]  # fmt: skip
    assert (len(found), found.groups[-1]) == (N, "g9")
    assert "row 22: there is no file 'gone.png'" in capsys.readouterr().out


def test_the_first_line_of_excel_names_the_separator(tmp_path):
    (tmp_path / "x.csv").write_text("sep=|\na|b\n" + "\n".join(f"{i}|{i * i}" for i in range(N)))
    found = pairs.read(table=tmp_path / "x.csv")
    np.testing.assert_array_equal(found.view2.items[:, 0], np.arange(N) ** 2)


@pytest.mark.parametrize(
    ("cells", "decimal", "first"),
    [
        (["1,5", "2"], "", 1.5), (["1.5", "2"], "", 1.5), (["1.234,5", "7"], "", 1234.5),
        (["1,234.5", "7"], "", 1234.5),
        (["1,234", "5"], ",", 1.234), (["1,234", "5"], ".", 1234), (["1e3", "5"], "", 1000), (["-0,25", ""], "", -0.25),
    ],
)  # fmt: skip
def test_decimal_commas_are_found(cells, decimal, first):
    assert spreadsheet.numbers(cells, decimal or spreadsheet.decimal_of(cells, "x"))[0] == first


def test_a_number_that_may_be_two_is_asked_for(tmp_path):
    rows = [["a", "b"], *([f"{i + 1},234", str(i)] for i in range(N))]
    file = table(tmp_path / "x.csv", rows, ";")
    refused(lambda: pairs.read(table=file), "'1,234'", "decimal=','")
    assert pairs.read(table=file, decimal=",").view1.items[0] == np.float32(1.234)


def test_text_where_numbers_are_expected_is_named(tmp_path):
    rows = [["a", "b"], *([str(i) if i != 7 else "seven", str(i)] for i in range(N))]
    file = table(tmp_path / "x.csv", rows)
    refused(lambda: pairs.read(table=file), "row 9: 'seven' in column a is no number")
    assert len(pairs.read(table=file, missing="skip")) == N - 1
    assert pairs.read(table=file, kind1="texts").view1.items[7] == "seven"


def test_several_columns_make_one_view(tmp_path):
    rows = [["x1", "x2", "y", "id"], *([str(i), f"{i}.5", f"fox {i}", f"n{i}"] for i in range(N))]
    found = pairs.read(table=table(tmp_path / "x.csv", rows), key1="x*", key2="y")
    np.testing.assert_array_equal(found.view1.items[3], [3, 3.5])
    assert found.ids[2] == "n2"


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_vectors_in_the_cells_of_a_table_are_numbers(tmp_path, form):
    frame = pd.DataFrame({"vector": [[i, i + 1.5] for i in range(N)], "caption": [f"fox {i}" for i in range(N)]})
    file = tmp_path / f"x.{form}"
    frame.to_parquet(file) if form == "parquet" else frame.to_json(file, orient="records", lines=True)
    found = pairs.read(table=file)
    np.testing.assert_array_equal(found.view1.items[1], [1, 2.5])
    assert found.view2.kind == "texts"


def test_a_column_of_a_view_names_the_pairs_too_where_that_is_asked_for(tmp_path):
    file = table(tmp_path / "x.csv", [["a", "b"], *([f"fox {i}", f"owl {i * i}"] for i in range(N))])
    found = pairs.read(table=file, key1="a", key2="b", id_column="a")
    assert found.ids == found.view1.items == [f"fox {i}" for i in range(N)]


def test_an_id_twice_is_refused(tmp_path):
    rows = [["id", "a", "b"], *([f"n{i % 15}", str(i), str(i * i)] for i in range(N))]
    file = table(tmp_path / "x.csv", rows)
    refused(lambda: pairs.read(table=file, missing="skip"), "the id 'n0' is in row 1 and in row 16")


@pytest.mark.parametrize("path", ["../secret.png", "/etc/secret.png", "a/../../secret.png", "..\\secret.png"])
def test_a_path_that_climbs_out_of_the_folder_is_refused(tmp_path, path):
    (tmp_path / "in").mkdir()
    draw(tmp_path / "in")
    rows = [["image", "text"], *([f"p{i}.png", f"fox {i}"] for i in range(N)), [path, "x"]]
    file = table(tmp_path / "in" / "x.csv", rows)
    refused(lambda: pairs.read(table=file, missing="skip"), "row 21", "outside of")


def test_paths_as_windows_writes_them_are_found(tmp_path):
    (tmp_path / "img").mkdir()
    draw(tmp_path / "img")
    rows = [["image", "text"], *([f"img\\p{i}.png", f"fox {i}"] for i in range(N))]
    assert len(pairs.read(table=table(tmp_path / "x.csv", rows))) == N


def test_a_table_without_names_of_columns_is_refused_since_its_first_pair_would_be_lost(tmp_path):
    draw(tmp_path)
    file = table(tmp_path / "t.csv", [(f"p{i}.png", f"text {i}") for i in range(N)])
    refused(lambda: pairs.read(table=file), "t.csv begins with a pair", "add a first line such as image,text")
    refused(lambda: one_view.read(file, 1, "images"), "t.csv begins with a pair")


def test_columns_that_say_nothing_of_themselves_are_asked_for(tmp_path):
    rows = [["a", "b", "c"], *([str(i)] * 3 for i in range(N))]
    file = table(tmp_path / "x.csv", rows)
    refused(lambda: pairs.read(table=file), "columns a, b, c", "key1")
    refused(lambda: pairs.read(table=file, key1="a", key2="d"), "no column 'd'")


def sound(file, frequency):
    samples = (2**14 * np.sin(2 * np.pi * frequency * np.arange(4000) / 8000)).astype("<i2")
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(8000)
        out.writeframes(samples.tobytes())


def test_two_kinds_of_files_in_a_folder_are_paired_by_their_names(tmp_path):
    draw(tmp_path)
    for i in range(N):
        sound(tmp_path / f"p{i}.wav", 100 + 20 * i)
    sound(tmp_path / "alone.wav", 100)
    refused(lambda: pairs.read(tmp_path), "1 of 21", "alone: there is no file 'alone.*'")
    found = pairs.read(tmp_path, missing="skip")
    assert (found.view1.kind, found.view2.kind) == ("images", "audio")
    assert [path.stem for path in found.view1.items] == [path.stem for path in found.view2.items] == found.ids
    assert found.left_out == [("alone", "there is no file 'alone.*'")]
    swapped = pairs.read(tmp_path, missing="skip", kind1="audio", kind2="images")
    assert swapped.view1.items == found.view2.items


def test_files_of_two_folders_are_paired_by_their_names_and_the_folders_may_be_the_split(tmp_path):
    for part, rows in (("train", range(8)), ("valid", range(8, 13)), ("test", range(13, N))):
        for side in ("pictures", "texts"):
            (tmp_path / side / part).mkdir(parents=True)
        for i in rows:
            Image.new("RGB", (8, 6), (i, 0, 0)).save(tmp_path / f"pictures/{part}/{i}.PNG")
            (tmp_path / f"texts/{part}/{i}.txt").write_bytes(f"Füchse {i}".encode("cp1252"))
    found = pairs.read(tmp_path / "texts", tmp_path / "pictures")
    assert found.splits.count("test") == 7
    assert found.view1.items[found.ids.index("test/15")] == "Füchse 15"


def test_a_matlab_file_of_version_7_3_says_how_to_save_it(tmp_path):
    (tmp_path / "x.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124, b" ") + struct.pack("<HH", 0x0200, 0x4D49))
    refused(lambda: arrays.load(tmp_path / "x.mat"), "MATLAB 7.3", "-v7")
