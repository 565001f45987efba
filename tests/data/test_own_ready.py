"""Facts about pairs of one's own made ready for training."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image
from scipy import sparse

from xmlib.data.own import pairs
from xmlib.data.own.ready import groups_of, ready, shared
from xmlib.data.own.sides import Pairs
from xmlib.data.pictures import pictures
from xmlib.data.pictures.preparation import Images
from xmlib.errors import InputError

N = 40


def made(texts=None, **columns):
    draw = np.random.default_rng(0)
    found = pairs.read(draw.normal(size=(N, 6)), texts or draw.normal(size=(N, 4)), quiet=True)
    for name, values in columns.items():
        setattr(found, name, values)
    return found


def test_whole_groups_lie_in_one_split():
    found = ready(made(groups=[f"g{i // 4}" for i in range(N)]))
    sides = [set(split.groups) for split in (found.splits.train, found.splits.valid, found.splits.test)]
    assert sum(map(len, sides)) == len(set.union(*sides))
    assert [len(rows) for rows in found.rows.values()] == [28, 4, 8]


def test_a_given_split_stays_and_only_its_rows_teach_the_preparation():
    found = ready(made(splits=["train"] * 30 + ["test"] * 4 + ["valid"] * 6))
    items = found.pairs.view1.items
    np.testing.assert_allclose(found.preparations[0].mean, items[:30].mean(0), rtol=1e-5)
    np.testing.assert_array_equal(found.splits.test.view1[:], found.preparations[0].transform(items[30:34]))
    assert found.splits.test.ids == ["row 31", "row 32", "row 33", "row 34"]


def test_a_group_in_two_given_splits_is_refused():
    with pytest.raises(InputError, match="1 groups of related pairs lie in more than one given split"):
        ready(made(splits=["train"] * 30 + ["test"] * 10, groups=[""] * 29 + ["g"] * 2 + [""] * 9))


def test_equal_texts_are_tied_but_labels_are_not():
    said = [f"a fox, number {i % 30}" for i in range(N)]
    assert len(set(groups_of(made(said)))) == 30
    labels = [f"class {i % 3}" for i in range(N)]
    assert len(set(groups_of(made(labels)))) == N


def test_equal_rows_of_numbers_are_tied():
    found = made()
    found.view1.items[7] = found.view1.items[3]
    groups = groups_of(found)
    assert groups[7] == groups[3]
    assert len(set(groups)) == N - 1


def test_sparse_rows_are_divided_tied_and_scaled_as_they_are_and_stay_sparse():
    draw = np.random.default_rng(0)
    rows = sparse.random(N, 30, 0.2, format="csr", random_state=0)
    rows = sparse.vstack([rows[:-1], rows[3]])
    whole = pairs.read(rows, draw.normal(size=(N, 4)), quiet=True)
    found, dense = ready(whole), ready(pairs.read(rows.toarray(), whole.view2.items, quiet=True))
    assert groups_of(whole)[N - 1] == groups_of(whole)[3]
    assert found.splits.test.ids == dense.splits.test.ids
    assert sparse.issparse(found.preparations[0].transform(rows))
    scaled = rows[found.rows["test"]].toarray() / dense.preparations[0].scale
    np.testing.assert_allclose(found.splits.test.view1[:], scaled, rtol=1e-5)


def test_tf_idf_stays_sparse_and_knows_training_words_alone():
    said = [f"a {'hare' if i % 2 else 'fox'}, number {i}" for i in range(N)]
    found = ready(made(said, splits=["train"] * 30 + ["test"] * 5 + ["valid"] * 5))
    vocabulary = found.preparations[1].state()[0]["vocabulary"]
    assert set(vocabulary) - {"a"} == {"fox", "hare", "number"}
    assert found.splits.test.view2[0].shape == (len(vocabulary),)
    assert found.splits.test.texts[0] == "a fox, number 30"


def test_labels_of_some_pairs_alone_are_no_classes():
    assert ready(made(labels=["x", "y"] * (N // 2))).splits.test.labels is not None
    assert ready(made(labels=["x", ""] * (N // 2))).splits.test.labels is None


def test_the_same_pairs_and_seed_give_the_same_split_and_digest():
    one, again, other = ready(made()), ready(made()), ready(made(), seed=2)
    assert one.splits.digest == again.splits.digest != other.splits.digest
    assert one.splits.test.ids == again.splits.test.ids != other.splits.test.ids


def of_pictures(folder, captions=3, splits=""):
    """A table of 20 pictures with so many captions each, mixed; `splits`: a split for each row."""
    draw = np.random.default_rng(0)
    order = draw.permutation(20 * captions)
    for i in range(20):
        Image.fromarray(draw.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / f"p{i}.png")
    lines = ["image,text,split" if splits else "image,text"]
    for i, row in enumerate(order):
        lines.append(
            f"p{row % 20}.png,a {'short' if row % 3 else 'long'} caption number {row}"
            + (f",{splits[i]}" if splits else "")
        )
    (folder / "pairs.csv").write_text("\n".join(lines))
    found = pairs.read(table=folder / "pairs.csv", quiet=True)
    return found, ready(found, preparations=(Images(16), None))


def pictures_of(found):
    return [{found.pairs.view1.items[i] for i in rows} for rows in found.rows.values()]


def test_all_captions_of_a_picture_lie_in_one_split(tmp_path):
    _, found = of_pictures(tmp_path)
    assert sum(map(len, pictures_of(found))) == 20
    assert all(len(rows) == 3 * len(own) for rows, own in zip(found.rows.values(), pictures_of(found), strict=True))


def test_a_validation_split_that_is_drawn_beside_a_given_test_has_whole_pictures(tmp_path):
    order = np.random.default_rng(0).permutation(60) % 20
    _, found = of_pictures(tmp_path, splits=["test" if picture < 5 else "train" for picture in order])
    assert len(found.rows["test"]) == 15
    assert sum(map(len, pictures_of(found))) == 20


def test_a_picture_in_two_given_splits_is_refused(tmp_path):
    with pytest.raises(InputError, match="groups of related pairs lie in more than one given split"):
        of_pictures(tmp_path, splits=["test" if i < 20 else "train" for i in range(60)])


def test_pairs_that_share_a_picture_are_known_by_it_in_whichever_view_it_is(tmp_path):
    found, _ = of_pictures(tmp_path)
    view, number = shared(found)
    assert view == 1
    names = [path.name for path in found.view1.items]
    assert len({(name, n) for name, n in zip(names, number.tolist(), strict=True)}) == len(set(number)) == 20
    swapped = Pairs(found.view2, found.view1, found.ids, found.groups, found.labels, found.splits)
    assert shared(swapped)[0] == 2
    assert shared(found.take([names.index(f"p{i}.png") for i in range(20)])) is None
    assert shared(made()) is None


def test_a_picture_with_several_captions_is_read_as_often_as_one_with_a_single_caption(tmp_path, monkeypatch):
    read, times = pictures.read, Counter()

    def counted(file, side):
        times[file.name] += 1
        return read(file, side)

    monkeypatch.setattr(pictures, "read", counted)
    _, found = of_pictures(tmp_path, captions=3)
    assert set(times.values()) == {2}  # is it a picture, and what is on it
    rows = np.concatenate([found.splits.train.view1[:3], found.splits.test.view1[:3]])
    items = [found.pairs.view1.items[i] for i in (*found.rows["train"][:3], *found.rows["test"][:3])]
    np.testing.assert_array_equal(rows, np.concatenate([Images(16).transform([item]) for item in items]))


def test_every_row_of_a_damaged_picture_is_named(tmp_path):
    of_pictures(tmp_path, captions=2)
    (tmp_path / "p3.png").write_bytes(b"none")
    with pytest.raises(InputError, match="2 of 40 pairs cannot be used"):
        pairs.read(table=tmp_path / "pairs.csv", quiet=True)
