"""Facts about the image–text pairs: emoji on the toy profile, clip art from small packages of the tests' own, iapr."""

import io
import os
import runpy
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import loaded_again
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from test_download import deb

from xmlib import paths
from xmlib.cca import cca
from xmlib.commands import app
from xmlib.data import cache, duplicates, emoji, image_text, load, openclipart, texts, workers
from xmlib.data.emoji import emoji_concepts
from xmlib.data.image_text import Artwork, Items, Size
from xmlib.data.openclipart import openclipart_files
from xmlib.data.pictures import image_features, pictures
from xmlib.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_helpers")
SPLITS = ("train", "valid", "test")
NEW_PROCESS = workers.COMMAND  # of a helper


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def toy(home):
    return load("emoji", "toy", cache_folder=home)


def parts(splits):
    return [getattr(splits, name) for name in SPLITS]


# --- splits, on items that need no pictures ---


def items(n=600, seed=0):
    """Items in groups and classes of very different sizes; a group may lie in two classes."""
    draw = np.random.RandomState(seed)
    groups = np.sort(draw.randint(0, n // 2, n))
    groups[:60] = 0  # too large to be drawn
    labels = np.array([f"class {i}" for i in np.minimum(draw.randint(0, 40, n), draw.randint(0, 40, n))])
    words = [f"word{draw.randint(0, 50)} word{draw.randint(0, 50)} own{i}" for i in range(n)]
    return Items([f"id {i}" for i in range(n)], words, labels, groups)


SIZE = Size(valid=60, test=100)


def assembled(split="grouped", seed=1, shuffled=False, some=None, complementary=0.0):
    some = some or items()
    draw = np.random.RandomState(5)
    n = len(some.ids)
    artwork = Artwork(
        some.ids, draw.rand(n, 7).astype(np.float32), draw.randint(0, 256, (n, 4, 4, 3)).astype(np.uint8), "x"
    )
    return image_text.assemble(
        "emoji", "toy", seed, some, dict.fromkeys(SPLITS, artwork), SIZE, split=split, shuffled=shuffled, settings={},
        complementary=complementary,
    )  # fmt: skip


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_complementary_pairs_show_each_picture_once_to_a_text_of_its_own_class_and_part(share):
    plain, turned = assembled(), assembled(complementary=share)
    for part in SPLITS:
        one, other = getattr(plain, part), getattr(turned, part)
        assert (one.ids, one.texts) == (other.ids, other.texts)
        assert sorted(one.pictures.rows) == sorted(other.pictures.rows)
        label = dict(zip(one.pictures.rows, one.labels, strict=True))
        assert [label[row] for row in other.pictures.rows] == one.labels.tolist()
        moved = one.pictures.rows != other.pictures.rows
        chosen = sum(
            m if (m := round(share * size)) > 1 else 0 for size in np.unique(one.labels, return_counts=True)[1]
        )
        assert moved.sum() == chosen > 0
        row = {place: i for i, place in enumerate(one.pictures.rows)}
        np.testing.assert_allclose(other.view1[:], one.view1[[row[place] for place in other.pictures.rows]], atol=1e-5)
    assert plain.digest != turned.digest


def test_a_share_outside_0_to_1_is_refused():
    with pytest.raises(InputError, match=r"complementary = 1\.5 is no share"):
        assembled(complementary=1.5)


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_parts_and_every_item_is_in_one(seed):
    some = items(seed=seed)
    rows = image_text.choose(some, SIZE, "grouped", seed)
    for one, other in combinations(SPLITS, 2):
        assert not set(some.groups[rows[one]]) & set(some.groups[rows[other]])
    assert sorted(np.concatenate(list(rows.values()))) == list(range(600))
    assert (len(rows["valid"]), len(rows["test"])) == SIZE[:2]


def test_a_group_larger_than_a_twentieth_of_the_test_set_stays_in_training():
    rows = image_text.choose(items(), SIZE, "grouped", 3)
    assert set(range(60)) <= set(rows["train"])
    assert np.bincount(items().groups[rows["test"]]).max() <= 5


@pytest.mark.parametrize("seed", range(5))
def test_held_out_classes_share_neither_class_nor_group_with_training(seed):
    some = items(seed=seed)
    rows = image_text.choose(some, SIZE, "zero_shot", seed)
    for one, other in combinations(SPLITS, 2):
        assert not set(some.labels[rows[one]]) & set(some.labels[rows[other]])
        assert not set(some.groups[rows[one]]) & set(some.groups[rows[other]])
    assert (len(rows["valid"]), len(rows["test"])) == SIZE[:2]
    assert np.unique(some.labels[rows["test"]], return_counts=True)[1].max() <= 25


def test_a_random_split_tears_groups_apart():
    rows = image_text.choose(items(), SIZE, "random", 1)
    assert set(items().groups[rows["train"]]) & set(items().groups[rows["test"]])
    assert sorted(np.concatenate(list(rows.values()))) == list(range(600))


def test_another_seed_draws_another_test_set_and_the_same_seed_the_same():
    one, again, other = (image_text.choose(items(), SIZE, "grouped", seed)["test"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert set(one) != set(other)


def test_shuffling_gives_training_pictures_other_texts_and_leaves_the_rest_alone():
    plain, shuffled = assembled(), assembled(shuffled=True)
    assert plain.train.ids == shuffled.train.ids
    np.testing.assert_array_equal(plain.train.view1[:], shuffled.train.view1[:])
    assert sorted(plain.train.texts) == sorted(shuffled.train.texts)
    moved = np.mean([a != b for a, b in zip(plain.train.texts, shuffled.train.texts, strict=True)])
    assert moved > 0.98
    for one, other in ((plain.test, shuffled.test), (plain.valid, shuffled.valid)):
        assert one.texts == other.texts
        np.testing.assert_array_equal(one.view2[:], other.view2[:])
    assert plain.digest != shuffled.digest


def test_an_item_without_a_picture_is_in_no_part():
    some = items()
    draw = np.random.RandomState(0)
    whole = Artwork(some.ids, draw.rand(600, 3), np.zeros((600, 2, 2, 3), np.uint8), "a")
    fewer = Artwork(some.ids[1:], whole.features[1:], whole.thumbnails[1:], "b")
    artwork = {"train": whole, "valid": whole, "test": fewer}
    splits = image_text.assemble("emoji", "toy", 1, some, artwork, SIZE, split="grouped", shuffled=False, settings={})
    assert "id 0" not in {id for part in parts(splits) for id in part.ids}
    rows = [[int(id.split()[1]) for id in part.ids] for part in parts(splits)]
    train = whole.features[rows[0]]
    for part, own in zip(parts(splits), rows, strict=True):
        expected = (whole.features[own] - train.mean(axis=0)) / (train - train.mean(axis=0)).std()
        np.testing.assert_allclose(part.view1[:], expected, atol=1e-5)


def test_more_pictures_give_every_training_pair_once_more_and_leave_the_rest_alone():
    some, draw = items(), np.random.RandomState(0)
    plain, again = (
        Artwork(some.ids, draw.rand(600, 3).astype(np.float32), np.full((600, 2, 2, 3), i, np.uint8), f"{i}")
        for i in range(2)
    )
    arguments = ("emoji", "toy", 1, some, dict.fromkeys(SPLITS, plain), SIZE)
    options = dict(split="grouped", shuffled=False, settings={})
    one, two = (image_text.assemble(*arguments, **options, more=more) for more in ((), [again]))
    n = len(one.train)
    assert len(two.train) == 2 * n
    order = np.array([n + 1, 0, 2 * n - 1, 1])  # both halves in one batch, out of order
    np.testing.assert_array_equal(two.train.view1[order[[1, 3]]], one.train.view1[order[[1, 3]]])
    np.testing.assert_array_equal(two.train.view2[order], one.train.view2[order % n])
    rows = [int(id.split()[1]) for id in one.train.ids]
    train = plain.features[rows]
    expected = (again.features[rows] - train.mean(axis=0)) / (train - train.mean(axis=0)).std()
    np.testing.assert_allclose(two.train.view1[:][n:], expected, atol=1e-5)
    assert (two.train.pictures[0].max(), two.train.pictures[n].max()) == (0, 1)
    np.testing.assert_array_equal(two.train.groups, np.tile(one.train.groups, 2))
    assert two.train.texts == one.train.texts * 2
    assert len(set(two.train.ids)) == 2 * n
    for part in ("valid", "test"):
        np.testing.assert_array_equal(getattr(one, part).view1[:], getattr(two, part).view1[:])
        assert getattr(one, part).ids == getattr(two, part).ids
    assert one.digest != two.digest


def test_an_item_without_one_of_its_pictures_is_in_no_part():
    some = items()
    whole = Artwork(some.ids, np.random.RandomState(0).rand(600, 3), np.zeros((600, 2, 2, 3), np.uint8), "a")
    fewer = Artwork(some.ids[1:], whole.features[1:], whole.thumbnails[1:], "b")
    arguments = ("emoji", "toy", 1, some, dict.fromkeys(SPLITS, whole), SIZE)
    splits = image_text.assemble(*arguments, split="grouped", shuffled=False, settings={}, more=[fewer])
    assert "id 0" not in {id for part in parts(splits) for id in part.ids}


@pytest.mark.parametrize(("split", "size"), [("grouped", Size(300, 400)), ("zero_shot", Size(60, 530))])
def test_too_few_items_are_an_error(split, size):
    with pytest.raises(InputError, match="too few|can be held out"):
        image_text.choose(items(), size, split, 1)


# --- texts ---


def test_words_of_validation_and_test_do_not_move_the_weights():
    some = items()
    rows = image_text.choose(some, SIZE, "grouped", 1)
    elsewhere = [t if i in set(rows["train"]) else f"{t} word1 word2 news{i % 3}" for i, t in enumerate(some.texts)]
    one, other = assembled(), assembled(some=Items(some.ids, elsewhere, some.labels, some.groups))
    np.testing.assert_array_equal(one.train.view2[:], other.train.view2[:])
    assert one.train.view2.shape == other.test.view2.shape


def test_weights_are_in_proportion_those_of_scikit_learn_on_the_training_texts():
    splits = assembled()
    oracle = TfidfVectorizer(analyzer=texts.words, min_df=2).fit(splits.train.texts)
    spread = oracle.transform(splits.train.texts).toarray().std()
    for part in parts(splits):
        np.testing.assert_allclose(part.view2[:] * spread, oracle.transform(part.texts).toarray(), atol=1e-5)


def test_both_views_have_a_spread_of_one_in_training_and_pictures_a_mean_of_zero():
    train = assembled().train
    assert train.view1[:].std() == pytest.approx(1, rel=1e-4)
    assert train.view2[:].std() == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(train.view1[:].mean(axis=0), 0, atol=1e-5)


def test_weights_of_a_text_have_length_one_or_are_all_zero():
    (train, test), vocabulary = texts.tfidf(["red cat", "red dog", "cat dog"], ["red unicorn", "unicorn"])
    assert vocabulary == ["cat", "dog", "red"]
    np.testing.assert_allclose(np.linalg.norm(train, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(test, [[0, 0, 1], [0, 0, 0]])


def test_texts_without_a_common_word_are_an_error():
    with pytest.raises(InputError, match="vocabulary is empty"):
        texts.tfidf(["one", "two", "three"])


def test_texts_are_cleaned_of_underscores_special_spaces_accents_and_code_points():
    text = texts.join(
        "Jack_o\u00a0lantern", ["jack_o_lantern", "piñata  party", "u1f383", "Party", "2 o’clock", "king’s"]
    )
    assert text == "Jack o lantern: pinata party 2 clock king"


# --- near duplicates ---


def test_groups_are_chains_of_pairs_and_of_shared_keys():
    related = np.zeros((6, 6), bool)
    related[0, 2] = related[4, 2] = True
    assert duplicates.groups(related).tolist() == [0, 1, 0, 2, 0, 3]
    assert duplicates.groups(related, [["a"], [], [], ["b"], [], ["a", "b"]]).tolist() == [0, 1, 0, 0, 0, 0]


def test_the_same_words_have_cosine_one_in_any_order_and_other_words_zero():
    cosines = duplicates.same_words(["red cat", "cat: red", "blue dog", "a cat"])
    assert cosines[0, 1] == pytest.approx(1)
    assert cosines[0, 2] == 0
    assert 0 < cosines[0, 3] < 1


def test_a_lighter_print_of_the_same_drawing_is_the_same_ink():
    dark = np.full((1, 8, 8, 3), 255, np.uint8)
    dark[0, 2:4] = 0
    light, other = dark.copy(), np.full_like(dark, 255)
    light[0, 2:4] = 200
    other[0, 5:7] = 0
    cosines = duplicates.same_ink(np.concatenate([dark, light, other]))
    assert cosines[0, 1] == pytest.approx(1)
    assert cosines[0, 2] == 0


@pytest.fixture(scope="module")
def concepts():
    return emoji_concepts.concepts()


def test_there_are_1918_concepts_each_with_text_class_and_two_drawings(concepts):
    assert len({concept.id for concept in concepts}) == 1918
    assert all(concept.label and texts.words(concept.text) for concept in concepts)
    for style in emoji.STYLES:
        assert {concept.id for concept in concepts} <= set(emoji_concepts.drawings(style))
    assert not any("_" in concept.text or "\u00a0" in concept.text or "&amp" in concept.text for concept in concepts)


@pytest.mark.parametrize(
    "names",
    [
        ("woman firefighter", "man firefighter", "firefighter"),
        ("person running: facing right", "woman running", "man running"),
        ("red heart", "blue heart", "light blue heart"),
        ("keycap: 1", "keycap: 9", "keycap: #"),
        ("one o’clock", "twelve-thirty", "six o’clock"),
        ("family", "family: man, man, boy", "couple with heart: woman, man"),
        ("green book", "orange book"),
        ("man: red hair", "woman: white hair", "person"),
        ("flag: Chad", "flag: Romania"),
        ("flag: Norway", "flag: Bouvet Island"),
        ("merman", "mermaid"),
    ],
)
def test_variants_of_a_concept_form_one_group(concepts, names):
    chosen = [concept for concept in concepts if concept.name in names]
    assert len(chosen) == len(names)
    assert len(set(emoji.group(chosen))) == 1


def test_different_things_are_in_different_groups(concepts):
    names = ("cat", "guitar", "flag: Italy", "pizza", "red heart", "airplane", "firefighter", "sun")
    chosen = [concept for concept in concepts if concept.name in names]
    assert len(set(emoji.group(chosen))) == len(names)


# --- emoji ---


def test_the_toy_emoji_have_the_sizes_of_their_profile(toy):
    size = emoji.PROFILES["toy"]
    assert [len(part) for part in parts(toy)] == [size.of - size.valid - size.test, size.valid, size.test]
    for part in parts(toy):
        assert len(part.view1) == len(part.view2) == len(part.pictures) == len(part.texts) == len(set(part.ids))
        assert part.view1[:].dtype == part.view2[:].dtype == np.float32
        assert part.labels.shape == part.groups.shape == (len(part),)


def test_no_group_of_the_toy_emoji_is_in_two_parts(toy):
    for one, other in combinations(parts(toy), 2):
        assert not set(one.groups) & set(other.groups)


def test_zero_shot_emoji_have_no_class_in_two_parts(home, toy):
    held = load("emoji", "toy", split="zero_shot", cache_folder=home)
    for one, other in combinations(parts(held), 2):
        assert not set(one.labels) & set(other.labels)
    assert held.digest != toy.digest


def test_pictures_belong_to_the_ids(toy):
    drawn = emoji_concepts.drawings("openmoji")
    for number in (0, 3):
        picture = pictures.thumbnail(pictures.read(drawn[toy.test.ids[number]]))
        np.testing.assert_array_equal(toy.test.pictures[number], picture)
    assert toy.test.pictures[np.array([3, 0])].shape == (2, 96, 96, 3)


def test_features_belong_to_the_ids_and_do_not_depend_on_the_neighbours_in_the_batch(toy):
    drawn = emoji_concepts.drawings("openmoji")
    stored = image_text.opened(toy.folder)
    for number in (2, 51):
        alone = image_features.features(pictures.read(drawn[stored.ids[number]])[None])
        np.testing.assert_allclose(stored.features[number], alone[0], atol=1e-4)


def test_the_features_are_those_of_the_network_as_its_package_builds_it(toy):
    drawn = emoji_concepts.drawings("openmoji")
    images = np.stack([pictures.read(drawn[id]) for id in toy.test.ids[:2]])
    benchmark = runpy.run_path(str(paths.ROOT / "benchmarks" / "picture_features.py"))
    plain = benchmark["plain_features"](benchmark["plain"](), images)
    np.testing.assert_allclose(image_features.features(images), plain, atol=benchmark["TOLERANCE"])


def test_another_style_changes_the_pictures_and_not_texts_or_split(home, toy):
    both = load("emoji", "toy", test_style="twemoji", cache_folder=home)
    assert [part.ids for part in parts(both)] == [part.ids for part in parts(toy)]
    assert both.test.texts == toy.test.texts
    for one, other in ((both.train, toy.train), (both.valid, toy.valid)):
        np.testing.assert_array_equal(one.view1[:], other.view1[:])
    np.testing.assert_array_equal(both.test.view2[:], toy.test.view2[:])
    assert np.abs(both.test.view1[:] - toy.test.view1[:]).max(axis=1).min() > 0.1
    assert (both.test.pictures[:] != toy.test.pictures[:]).any(axis=(1, 2, 3)).all()
    assert both.digest != toy.digest
    whole = load("emoji", "toy", style="twemoji", cache_folder=home)
    np.testing.assert_array_equal(whole.test.pictures[:], both.test.pictures[:])


def test_a_build_in_another_cache_with_other_numbers_of_processes_gives_the_same_bytes(
    home, toy, tmp_path, monkeypatch
):
    monkeypatch.setattr(workers, "COMMAND", NEW_PROCESS)
    again = load("emoji", "toy", cache_folder=tmp_path, processes=3)
    assert again.digest == toy.digest
    for name in sorted(file.name for file in toy.folder.iterdir()):
        assert (again.folder / name).read_bytes() == (toy.folder / name).read_bytes()
    assert not list(tmp_path.rglob(f"{cache.PART}*"))
    assert not list(tmp_path.rglob("parts-*"))


def test_a_second_load_reads_the_finished_features_and_renders_and_computes_nothing(home, toy):
    digest, read, modules = loaded_again("emoji", home)
    assert digest == toy.digest
    assert read == ["features.npy", "manifest.json", "thumbnails.npy"]
    assert not modules & {"torch", "resvg_py", "sklearn", "pandas"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "noto"}, "style 'noto' is unknown"),
        ({"test_style": "noto"}, "test_style 'noto' is unknown"),
        ({"split": "fair"}, "split 'fair' is unknown; choose one of: grouped, random, zero_shot"),
        ({"profile": "huge"}, "profile 'huge' is unknown"),
        ({"seed": -1}, "seed -1 is not a whole number"),
        ({"colour": "red"}, "emoji has no option 'colour'; it has: style"),
    ],
)
def test_an_unknown_option_is_an_error_that_says_what_there_is(home, toy, options, message):
    with pytest.raises(InputError, match=message):
        load("emoji", **{"profile": "toy", "cache_folder": home, **options})


def test_the_command_line_builds_emoji_and_prints_sizes(home, toy, monkeypatch, capsys):
    monkeypatch.setattr(paths, "DATA", home)
    assert app.main(["data", "emoji", "--profile", "toy"]) == 0
    said = capsys.readouterr().out
    assert f"train  {len(toy.train):6} pairs in" in said
    assert "view 1 1280, view 2" in said
    assert toy.digest in said


# --- pictures that are none ---


def png(size=(20, 10), colour=(255, 0, 0, 255), mode="RGBA"):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "png")
    return file.getvalue()


SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 20 10">{}</svg>'


def test_a_wide_picture_is_whole_in_the_middle_of_a_white_square():
    for content in (png(), SVG.format('<rect width="20" height="10" fill="red"/>').encode()):
        picture = pictures.decode(content, 8)
        assert picture.shape == (8, 8, 3)
        assert (picture[:2] == 255).all()
        assert (picture[2:6] == (255, 0, 0)).all()
        assert (picture[6:] == 255).all()


@pytest.mark.parametrize(
    "size", ['width="20mm" height="10mm"', 'width="20pt" height="10pt"', 'width="2000" height="1000"']
)
def test_an_svg_may_give_its_size_in_any_unit(size):
    drawing = SVG.format('<rect width="20" height="10" fill="red"/>').replace("<svg", f"<svg {size}")
    picture = pictures.decode(drawing.encode(), 8)
    assert (picture[2:6] == (255, 0, 0)).all()
    assert (picture[[0, 1, 6, 7]] == 255).all()


def test_what_is_transparent_becomes_white():
    assert (pictures.decode(png(colour=(0, 0, 0, 0)), 8) == 255).all()
    half = pictures.decode(png(size=(8, 8), colour=(0, 0, 0, 128)), 8)
    assert abs(int(half[4, 4, 0]) - 127) <= 1


def test_sixteen_bits_and_palettes_are_read():
    grey = Image.fromarray(np.full((4, 4), 128 * 256, np.uint16))
    file = io.BytesIO()
    grey.save(file, "png")
    assert (pictures.decode(file.getvalue(), 4) == 128).all()
    assert pictures.decode(png(mode="P", colour=0), 8).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"just some text", "not a picture"),
        (b"", "not a picture"),
        (png(size=(300, 300))[:200], "damaged or cut short"),
        (b"<svg><rect", "no SVG that can be drawn"),
    ],
)
def test_a_picture_that_is_none_is_refused(content, message):
    with pytest.raises(pictures.NoPicture, match=message):
        pictures.decode(content)


def bomb(width, height):
    """A PNG of a few bytes that says it is enormous."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8_000, 12_000, 40_000])
def test_an_enormous_picture_is_refused_before_it_is_unpacked(side):
    with pytest.raises(pictures.NoPicture, match="enormous"):
        pictures.decode(bomb(side, side))


def test_bad_files_are_named_and_left_out_and_the_rest_is_kept(tmp_path, capsys):
    contents = {
        "good": png(),
        "text": b"no picture",
        "bomb": bomb(40_000, 40_000),
        "blue": png(colour=(0, 0, 255, 255)),
    }
    files = []
    for name, content in contents.items():
        files.append(tmp_path / f"{name}.png")
        files[-1].write_bytes(content)
    files.append(tmp_path / "gone.png")
    manifest = image_features.build(tmp_path / "out", files, [file.stem for file in files], {}, 1)
    assert manifest["names"] == ["good", "blue"]
    assert set(manifest["skipped"]) == {"text", "bomb", "gone"}
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left out")]
    assert [line.split(":")[0] for line in said] == ["left out text", "left out bomb", "left out gone"]
    thumbnails = np.load(tmp_path / "out" / "thumbnails.npy")
    assert (thumbnails[:, 48, 48] == [(255, 0, 0), (0, 0, 255)]).all()
    assert np.load(tmp_path / "out" / "features.npy").shape == (2, 1280)


FIRST = """
import sys
from pathlib import Path
from xmlib.data import workers; from xmlib.data.pictures import image_features
run = workers.run
def lingering(*arguments, **options):
    problems = run(*arguments, **options)
    print("computed", flush=True)
    sys.stdin.readline()
    return problems
workers.run = lingering
features, *_ = image_features.of_files([Path(sys.argv[1])], Path(sys.argv[2]), 1)
print(features.sum())
"""
SECOND = """
import sys
from pathlib import Path
import filelock
from xmlib.data.pictures import image_features
class Noticed(filelock.FileLock):
    def __enter__(self):
        print("waits", flush=True)
        return super().__enter__()
filelock.FileLock = Noticed
features, *_ = image_features.of_files([Path(sys.argv[1])], Path(sys.argv[2]), 1)
print(features.sum())
"""


@pytest.mark.faults
@pytest.mark.parametrize("other", ["one", "other"])
def test_a_process_waits_while_another_computes_features_of_the_same_or_other_pictures(tmp_path, other):
    for name, colour in (("one", (255, 0, 0, 255)), ("other", (0, 0, 255, 255))):
        (tmp_path / name).write_bytes(png(colour=colour))

    def start(code, name):
        command = [sys.executable, "-c", code, tmp_path / name, tmp_path / "cache"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with start(FIRST, "one") as first:
        assert first.stdout.readline() == "computed\n"  # and has not gathered it yet
        with start(SECOND, other) as second:
            assert second.stdout.readline() == "waits\n"
            said = [job.communicate("\n", timeout=300)[0].split() for job in (first, second)]
    alone = [image_features.of_files([tmp_path / name], tmp_path / "alone", 1)[0].sum() for name in ("one", other)]
    assert said == [[str(total)] for total in alone]


def test_features_that_are_there_are_read_where_nothing_can_be_written(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    one = image_features.of_files([tmp_path / "a.png"], tmp_path / "cache", 1)
    (tmp_path / "cache" / ".lock").unlink(missing_ok=True)
    other = image_features.of_files([tmp_path / "a.png"], tmp_path / "cache", 1)
    np.testing.assert_array_equal(one[0], other[0])
    assert not (tmp_path / "cache" / ".lock").exists()  # which would have to be written


def test_a_cache_that_cannot_be_made_is_said_in_one_sentence(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    for home in (tmp_path / "a.png" / "pictures", tmp_path / "a.png"):
        with pytest.raises(InputError, match="picture features cannot be built in .*a.png.*; if the disk is full"):
            image_features.of_files([tmp_path / "a.png"], home, 1)


FULL = """
import resource, sys
from pathlib import Path
from xmlib.data.pictures import image_features
from xmlib.errors import InputError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # the features of one picture are 33 kB
try:
    image_features.of_files([Path(sys.argv[1])], Path(sys.argv[2]), 1)
except InputError as error:
    print(error)
"""


@pytest.mark.faults
def test_a_disk_that_becomes_full_is_said_in_one_sentence_and_leaves_no_halves(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    command = [sys.executable, "-c", FULL, tmp_path / "a.png", tmp_path / "cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "picture features cannot be built in" in done.stdout
    assert "File too large" in done.stdout
    assert not list((tmp_path / "cache").rglob(f"{cache.PART}*"))
    assert len(image_features.of_files([tmp_path / "a.png"], tmp_path / "cache", 1)[0]) == 1


def test_files_are_known_by_their_content_and_not_by_their_names(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    one = image_features.of_files([tmp_path / "a.png"], tmp_path / "cache", 1)
    os.rename(tmp_path / "a.png", tmp_path / "b.png")
    written = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*.npy")}
    other = image_features.of_files([tmp_path / "b.png"], tmp_path / "cache", 1)
    np.testing.assert_array_equal(one[0], other[0])
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*.npy")} == written
    (tmp_path / "b.png").write_bytes(png(colour=(0, 255, 0, 255)))
    changed = image_features.of_files([tmp_path / "b.png"], tmp_path / "cache", 1)
    assert np.abs(changed[0] - one[0]).max() > 0.1


# --- openclipart, from packages made here ---


def rdf(title, keywords, description=""):
    words = "".join(f"<rdf:li>{word}</rdf:li>" for word in keywords)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg"><metadata><rdf:RDF><cc:Work>'
        f"<dc:creator><cc:Agent><dc:title>the artist</dc:title></cc:Agent></dc:creator><dc:title>{title}</dc:title>"
        f"<dc:description>{description}</dc:description><dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>"
        "</cc:Work></rdf:RDF></metadata></svg>"
    ).encode()


def said(title, keywords=(), description="", id="animals/x"):
    return openclipart_files._said(id, rdf(title, keywords, description))


def test_metadata_is_read_without_the_artist_and_cleaned():
    one = said(
        "Dog &amp; cat", ["hash(0x86a0bb0)", "HASH", "pet_animal", "unsorted"], "Write to me@example.org, two pets"
    )
    assert one.title == "Dog & cat"
    assert openclipart_files.clean([one])[0].text == "Dog & cat: pet animal write me two pets".replace(" me ", " ")


def test_generated_stars_collections_and_nameless_pictures_are_left_out(capsys):
    many = [said("Flat Icons", ["icon"], id=f"icons/{i}") for i in range(5)]
    rest = [said("gramastar", id="shapes/s"), said("", ["dog"]), said("Clipart by Someone - bee"), said("Unsorted")]
    kept = openclipart_files.clean([*many, *rest, said("Horse", ["mammal"], id="animals/mammals/horses/h_01")])
    assert [(clip.text, clip.label) for clip in kept] == [("bee", "animals"), ("Horse: mammal", "animals/mammals")]
    assert "left out 8 of 10" in capsys.readouterr().err


def test_numbered_drawings_and_equal_titles_belong_together():
    clips = openclipart_files.clean(
        [
            said("Cavallo", id="a/horse_01"),
            said("Puledro", id="a/horse_02"),
            said("cavallo", id="b/x"),
            said("Gatto", id="a/c"),
        ]
    )
    related = np.zeros((4, 4), bool)
    assert duplicates.groups(related, [clip.relatives() for clip in clips]).tolist() == [0, 0, 0, 1]


@pytest.fixture
def packages(tmp_path):
    """Two packages of 70 clips in `tmp_path`, one picture broken."""
    draw = np.random.RandomState(0)
    drawn, told = {}, {}
    kinds = ["cat", "dog", "tree", "house", "fish", "boat", "sun"]
    for i in range(70):
        name = f"kind{i % 14}/{'abcdefghij'[i % 10]}{'klmnopq'[i // 10]}"
        colour = tuple(int(c) for c in draw.randint(0, 256, 3)) + (255,)
        drawn[f"usr/share/openclipart/png/{name}.png"] = png((8 + i, 70), colour) if i else b"broken"
        words = [kinds[i % 7], kinds[(i // 7) % 7], f"own{i}"]
        told[f"usr/share/openclipart/svg/{name}.svg"] = rdf(f"Picture {i} {words[0]}", words[1:])
    folder = tmp_path / "openclipart" / "packages"
    folder.mkdir(parents=True)
    for package, files in zip(openclipart_files.PACKAGES, (drawn, told), strict=True):
        (folder / f"{package}_1_all.deb").write_bytes(deb(files))
    return folder


def test_clip_art_is_built_once_and_then_needs_no_packages(packages, tmp_path, capsys):
    splits = load("openclipart", "toy", cache_folder=tmp_path)
    assert "left out kind0/ak: it is not a picture" in capsys.readouterr().err
    assert [len(splits.valid), len(splits.test)] == list(openclipart.PROFILES["toy"][:2])
    for one, other in combinations(parts(splits), 2):
        assert not set(one.groups) & set(other.groups)
    assert "kind0/ak" not in {id for part in parts(splits) for id in part.ids}
    for file in packages.iterdir():
        file.unlink()
    assert load("openclipart", "toy", cache_folder=tmp_path).digest == splits.digest
    assert capsys.readouterr().err == ""
    assert not [file for file in (tmp_path / "openclipart").iterdir() if file.name.startswith(cache.PART)]


def test_without_the_packages_the_error_says_how_to_get_them(tmp_path):
    with pytest.raises(InputError) as error:
        load("openclipart", cache_folder=tmp_path)
    assert "xm data download openclipart" in str(error.value)
    assert str(tmp_path / "openclipart" / "packages") in str(error.value)


# --- iapr ---

ROWS = 19996


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """An iapr.npz with the released number of rows, twice as many images, and a planted correlation."""
    draw = np.random.RandomState(0)
    hidden = draw.randn(ROWS, 8).astype(np.float32)
    images = np.abs(hidden @ draw.randn(8, 40) + 0.3 * draw.randn(ROWS, 40)).astype(np.float32)
    words = np.abs(hidden @ draw.randn(8, 40) + 0.3 * draw.randn(ROWS, 40)).astype(np.float32)
    images = np.concatenate([images, images[::-1] * 2])  # the flipped ones, with the largest value
    file = tmp_path_factory.mktemp("iapr") / "iapr.npz"
    np.savez(file, images=images, tfidf=words)
    return file


def test_the_split_of_iapr_is_the_released_one(released):
    splits = load("iapr", dataset_file=released)
    assert [len(part) for part in parts(splits)] == [17_000, 1000, 2000]
    np.random.seed(23)  # noqa: NPY002  as the released code does
    order = np.random.permutation(19996)  # noqa: NPY002
    np.testing.assert_array_equal(splits.valid.groups, order[:1000])
    np.testing.assert_array_equal(splits.test.groups, order[1000:3000])
    np.testing.assert_array_equal(splits.train.groups, [*order[3000:], *order[3000:3004]])
    assert len(set(splits.train.ids)) == 17_000
    assert load("iapr", "full", 7, dataset_file=released).digest == splits.digest


def test_iapr_is_scaled_on_training_rows_or_as_released_on_all(released):
    with np.load(released) as file:
        images, words = file["images"], file["tfidf"]
    rows = np.random.RandomState(23).permutation(ROWS)
    plain, all_rows = (
        load("iapr", dataset_file=released),
        load("iapr", dataset_file=str(released), released_scaling=True),
    )
    np.testing.assert_allclose(plain.test.view1[5], images[rows[1005]] / images[rows[3000:]].max(), rtol=1e-6)
    np.testing.assert_allclose(all_rows.test.view1[5], images[rows[1005]] / images.max(), rtol=1e-6)
    assert plain.train.view1[:].max() == 1
    low, high = words.min(), words.max()
    np.testing.assert_allclose(all_rows.train.view2[:3], (words[rows[3000:3003]] - low) / (high - low), atol=1e-6)
    train = plain.train.view2[:]
    assert (train.min(), train.max()) == (0, 1)
    assert plain.digest != all_rows.digest


def test_a_planted_correlation_is_found_far_above_chance(released):
    splits = load("iapr", dataset_file=released)
    views = [torch.tensor(view[:], dtype=torch.double) for view in (splits.train.view1, splits.train.view2)]
    a, b, _ = cca(*views)
    x, y = ((view[:] - means.numpy().mean(0)) @ projection.numpy() for view, means, projection in (
        (splits.test.view1, views[0], a), (splits.test.view2, views[1], b)))  # fmt: skip
    scores = (x / np.linalg.norm(x, axis=1)[:, None]) @ (y / np.linalg.norm(y, axis=1)[:, None]).T
    best = (scores > scores.diagonal()[:, None]).sum(1)
    assert np.mean(best < 10) > 20 * 10 / 2000


def test_the_toy_profile_of_iapr_is_the_beginning_of_the_split(released):
    toy, whole = load("iapr", "toy", dataset_file=released), load("iapr", dataset_file=released)
    assert len(toy.train) == 500
    assert toy.test.ids == whole.test.ids[:100]
    np.testing.assert_array_equal(toy.test.view1[:], whole.test.view1[:100])


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "iapr.npz", **arrays)
    return tmp_path / "iapr.npz"


class Harm:
    def __reduce__(self):
        return (os.mkdir, ("harm",))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.ones((4000, 3))}, "lacks tfidf"),
        ({"images": np.ones((3999, 3)), "tfidf": np.ones((4000, 2))}, "3999 rows of images but 4000 of tfidf"),
        ({"images": np.ones((100, 3)), "tfidf": np.ones((100, 2))}, "has 100 pairs"),
        ({"images": np.ones((4000, 3)), "tfidf": np.ones((4000, 2))}, "all the same"),
        ({"images": np.full((4000, 3), np.nan), "tfidf": np.ones((4000, 2))}, "not finite"),
        ({"images": np.ones(4000), "tfidf": np.ones((4000, 2))}, "rows of numbers"),
        ({"images": np.array([Harm()] * 4000), "tfidf": np.ones((4000, 2))}, "holds pickled Python objects"),
    ],
)
def test_a_file_that_is_not_iapr_is_an_error_and_runs_no_code(tmp_path, monkeypatch, arrays, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        load("iapr", dataset_file=saved(tmp_path, **arrays))
    assert not Path("harm").exists()


def test_a_missing_or_damaged_iapr_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="xm data download iapr"):
        load("iapr", cache_folder=tmp_path)
    (tmp_path / "iapr.npz").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(InputError, match="no .npz file, or only the beginning of one"):
        load("iapr", dataset_file=tmp_path / "iapr.npz")
