"""Facts about the icons: packages as npm packs them, made here, and the pairs of the real ones where they are built."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from made_up import archive

from xmlib.commands import app
from xmlib.data import cache, duplicates, icons, image_text, load
from xmlib.data.icons import icon_files, icon_texts, npm
from xmlib.data.icons.icon_files import COLLECTIONS, Drawing
from xmlib.data.icons.icon_texts import Icon
from xmlib.data.icons.npm import Package
from xmlib.data.image_text import Items, Size
from xmlib.data.pictures import pictures
from xmlib.errors import InputError

pytestmark = pytest.mark.usefixtures("quick_helpers")
SPLITS = ("train", "valid", "test")
KINDS = ["Animals", "Food", "Weather", "Sport", "Map", "Text", "Health", "Games", "Math", "Mood"] + [
    "Vehicles", "Media", "Devices", "Design", "Arrows", "Buildings", "Nature", "Badges", "Database", "Communication",
]  # fmt: skip


def tgz(files: dict[str, bytes]) -> bytes:
    """A package with these files, as npm packs it."""
    return archive({f"package/{name}": content for name, content in files.items()}, "package/link.svg", "gz")


def svg(number: int) -> bytes:
    """A square whose place and size tell the number; drawn in the current colour."""
    x, y, side = number % 7, number // 7 % 7, 3 + number // 49 % 9
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"'
    return f'{head}><path fill="currentColor" d="M{2 * x} {2 * y}h{side}v{side}h-{side}z"/></svg>'.encode()


def tabler(named: dict[str, tuple[str, list]]) -> dict[str, bytes]:
    about = {name: {"name": name, "category": kind, "tags": tags} for name, (kind, tags) in named.items()}
    drawn = {f"icons/outline/{name}.svg": svg(i) for i, name in enumerate(named)}
    return {"icons.json": json.dumps(about).encode()} | drawn


def mdi(named: list[dict]) -> dict[str, bytes]:
    usual = {"aliases": [], "tags": [], "deprecated": False}
    drawn = {f"svg/{one['name']}.svg": svg(200 + i) for i, one in enumerate(named)}
    return {"meta.json": json.dumps([usual | one for one in named]).encode()} | drawn


PHOSPHOR = """
var e = ((i) => (i.NATURE = "nature", i.BRAND = "brands", i))(e || {}), a = ((i) => (i.NATURE = "weather", i))(a || {});
const n = [
  {
    name: "leaf",
    pascal_name: "Leaf",
    alias: { name: "foliage", pascal_name: "Foliage" },
    categories: [e.NATURE],
    figma_category: a.NATURE,
    tags: ["*new*", "green plant"],
    codepoint: 1
  },
  {
    name: "some-logo",
    pascal_name: "SomeLogo",
    categories: [e.BRAND, e.NATURE],
    figma_category: a.NATURE,
    tags: [],
    codepoint: 2
  }
];
"""
FAMILIES = {
    "kite": {"label": "Kite", "search": {"terms": ["wind toy"]}, "svgs": {"classic": {"solid": {}, "regular": {}}}},
    "acme": {"label": "Acme", "search": {"terms": []}, "svgs": {"classic": {"brands": {}}}},
}
CATEGORIES = b"all:\n  icons: [kite, other]\n  label: Objects\nsport:\n  icons: [kite]\n  label: Sports + Fitness\n"


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Five small packages in `tmp_path`, whose hashes are the ones that are asked for."""
    named = {f"{kind.lower()}{letter}": (kind, [f"of {kind}", letter, 7]) for kind in KINDS for letter in "abcd"}
    files = {
        "tabler": tabler(named | {"brand-acme": ("Brand", [])}),
        "mdi": mdi(
            [
                {"name": "cloudy", "tags": ["Weather"], "aliases": ["overcast"]},
                {"name": "cloudy-outline"},
                {"name": "drop-outline"},
                {"name": "old", "deprecated": True},
                {"name": "oldlogo", "deprecated": True, "tags": ["Brand / Logo"]},
            ]
        ),
        "lucide": {"tags.json": b'{"weathera": ["sky", "air"]}', "icons/weathera.svg": svg(300)},
        "phosphor": {"dist/index.mjs": PHOSPHOR.encode(), "assets/regular/leaf.svg": svg(301)},
        "fontawesome": {
            "metadata/icon-families.json": json.dumps(FAMILIES).encode(),
            "metadata/categories.yml": CATEGORIES,
            "svgs/solid/kite.svg": svg(302),
        },
    }
    folder = tmp_path / "icons" / "packages"
    folder.mkdir(parents=True)
    (tmp_path / "icons" / f"{cache.PART}of-a-killed-build").mkdir()
    for name, content in files.items():
        packed = tgz(content)
        package = COLLECTIONS[name].package._replace(sha256=hashlib.sha256(packed).hexdigest())
        monkeypatch.setitem(COLLECTIONS, name, COLLECTIONS[name]._replace(package=package))
        (folder / package.file).write_bytes(packed)
    return folder


# --- packages of npm ---


def npm_command(folder, body: str) -> None:
    """An `npm` that does what the test wants; `name` is the package, `count` how often it was called before."""
    folder.mkdir()
    (folder / "npm").write_text(
        f"#!{sys.executable}\nimport sys, pathlib\nname = sys.argv[-1]\nlog = pathlib.Path({str(folder / 'log')!r})\n"
        "count = len(log.read_text().split()) if log.exists() else 0\n"
        f"log.open('a').write(name + chr(10))\n{body}\n"
    )
    (folder / "npm").chmod(0o755)


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


TWO = [Package("@a/icons", "1.0.0", hash_of(b"one")), Package("b-icons", "2.1.0", hash_of(b"two"))]
WRITE = (
    "pathlib.Path({'@a/icons@1.0.0': 'a-icons-1.0.0.tgz', 'b-icons@2.1.0': 'b-icons-2.1.0.tgz'}[name])"
    ".write_text('one' if 'a/' in name else 'two')"
)


def left_in(folder) -> list[str]:
    """The names in a folder of packages, but for the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_a_download_that_was_stopped_goes_on_with_the_package_that_is_missing(tmp_path, monkeypatch):
    npm_command(tmp_path / "bin", f"if count == 1: sys.exit('npm error code E1\\nnpm error network is down')\n{WRITE}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(InputError, match=r"npm could not fetch b-icons@2.1.0 \(network is down\); try again"):
        npm.download(TWO, tmp_path / "packages")
    assert left_in(tmp_path / "packages") == ["a-icons-1.0.0.tgz"]
    found = npm.download(TWO, tmp_path / "packages")
    assert [file.read_bytes() for file in found] == [b"one", b"two"]
    assert (tmp_path / "bin" / "log").read_text().split() == ["@a/icons@1.0.0", "b-icons@2.1.0", "b-icons@2.1.0"]


def test_a_package_that_is_another_than_the_pinned_one_is_refused_and_thrown_away(tmp_path, monkeypatch):
    npm_command(tmp_path / "bin", "pathlib.Path('a-icons-1.0.0.tgz').write_text('<html>')")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(InputError, match=f"has the SHA-256 .* and not {hash_of(b'one')}"):
        npm.download(TWO, tmp_path / "packages")
    assert left_in(tmp_path / "packages") == []


@pytest.mark.faults
def test_a_call_that_was_killed_leaves_nothing_in_the_way_of_the_next(tmp_path, monkeypatch):
    npm_command(tmp_path / "bin", "import os, signal\npathlib.Path('half').touch()\n"
                f"if count == 0: os.kill(os.getppid(), signal.SIGKILL)\n{WRITE}")  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    code = f"from xmlib.data.icons import npm; npm.download([npm.Package(*{tuple(TWO[0])})], npm.Path(sys.argv[1]))"
    call = [sys.executable, "-c", f"import sys; {code}", str(tmp_path / "packages")]
    assert subprocess.run(call, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert [name for name in left_in(tmp_path / "packages") if name.startswith(cache.PART)] != []
    assert npm.download(TWO[:1], tmp_path / "packages")[0].read_bytes() == b"one"
    assert left_in(tmp_path / "packages") == ["a-icons-1.0.0.tgz"]


def test_a_damaged_package_is_fetched_again(tmp_path, monkeypatch):
    npm_command(tmp_path / "bin", WRITE)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "a-icons-1.0.0.tgz").write_bytes(b"o")
    assert npm.download(TWO[:1], tmp_path / "packages")[0].read_bytes() == b"one"


def test_without_npm_the_error_names_the_package_and_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as error:
        npm.download(TWO, tmp_path / "packages")
    for part in ("npm is not on this machine", "npm pack @a/icons@1.0.0", str(tmp_path / "packages")):
        assert part in str(error.value)


def test_a_package_is_read_without_its_links(tmp_path):
    packed = tgz({"a.svg": b"1", "b/c.svg": b"2"})
    package = Package("x", "1.0.0", hash_of(packed))
    (tmp_path / package.file).write_bytes(packed)
    assert npm.files(package, tmp_path) == {"a.svg": b"1", "b/c.svg": b"2"}


def test_what_has_the_hash_and_is_no_package_is_an_error_that_names_it(tmp_path):
    package = Package("x", "1.0.0", hash_of(b"no archive"))
    (tmp_path / package.file).write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"x-1.0.0.tgz is no package of npm"):
        npm.files(package, tmp_path)


def test_without_the_packages_the_error_says_how_to_get_them(tmp_path):
    with pytest.raises(InputError) as error:
        load("icons", cache_folder=tmp_path)
    assert "xm data download icons" in str(error.value)
    assert str(tmp_path / "icons" / "packages") in str(error.value)


# --- drawings and their texts ---


def test_each_collection_is_read_as_its_package_lists_it_without_logos_and_second_versions(packages, capsys):
    found, logos = icon_files.drawings(packages)
    by_id = {drawing.id: drawing for drawing in found}
    assert logos == {"tabler": 1, "mdi": 1, "lucide": 0, "phosphor": 1, "fontawesome": 1}
    assert "left out 4 logos of brands" in capsys.readouterr().err
    assert [id for id in by_id if id.startswith("mdi")] == ["mdi/cloudy", "mdi/drop-outline"]
    assert by_id["mdi/drop-outline"].name == "drop"
    assert by_id["tabler/animalsa"].tags == ["of Animals", "a", "7"]
    assert (by_id["phosphor/leaf"].tags, by_id["phosphor/leaf"].categories) == (["green plant"], ["nature"])
    assert by_id["fontawesome/kite"].categories == ["Sports + Fitness", "Objects"]
    assert (by_id["fontawesome/kite"].file, by_id["lucide/weathera"].tags) == ("svgs/solid/kite.svg", ["sky", "air"])


def drawing(id: str, tags=(), categories=()):
    return Drawing(id, id.split("/")[1], f"{id}.svg", list(tags), list(categories))


def test_a_text_is_the_name_then_what_tags_and_categories_add_to_it():
    one = drawing("mdi/heart-off", ["no heart", "Love_less"], ["System", "Health / Beauty"])
    assert icon_texts.icons([one])[0].text == "heart off: no love less health beauty"


def test_a_digit_stays_in_a_name_where_it_is_drawn():
    some = [drawing("a/ruler"), drawing("a/ruler-2"), drawing("a/dice"), drawing("a/dice-3", ["three"])]
    alone = [drawing("b/ruler-2"), drawing("a/battery"), drawing("a/battery-90")]
    names = [icon.name for icon in icon_texts.icons([*some, *alone])]
    assert names == ["ruler", "ruler", "dice", "dice 3", "ruler 2", "battery", "battery 90"]


def test_a_drawing_without_a_category_has_the_class_of_most_with_its_head():
    some = [drawing("a/dog", (), ["Animals"]), drawing("b/dogs-run", (), ["Animal"]), drawing("a/dog-x", (), ["Food"])]
    found = icon_texts.icons([*some, drawing("c/dog-off"), drawing("c/thing"), drawing("c/own", (), ["Own kind"])])
    assert [icon.label for icon in found] == ["animals", "animals", "food", "animals", "other", "Own kind"]


def icon(id: str, name: str, text: str = "") -> Icon:
    return Icon(id, name, text or name, "any")


def test_the_same_thing_by_several_hands_is_one_group_and_so_is_the_same_name_in_another_order():
    some = [icon("a/1", "heart off"), icon("b/1", "hearts"), icon("c/1", "star"), icon("a/2", "stars in circle")]
    some += [icon("b/2", "arrow up"), icon("c/2", "up arrow"), icon("c/3", "upload"), icon("c/4", "glass")]
    thumbnails = np.full((len(some), 96, 96, 3), 255, np.uint8)
    for i, one in enumerate(thumbnails):
        one[10 * i : 10 * i + 10] = 0  # no two alike
    assert icons.group(some, thumbnails).tolist() == [0, 0, 1, 1, 2, 2, 3, 4]


def test_near_duplicates_are_the_same_whether_compared_at_once_or_in_blocks(monkeypatch):
    draw = np.random.RandomState(0)
    said = [" ".join(f"w{k}" for k in draw.randint(0, 12, 4)) for _ in range(40)]
    small = (draw.rand(40, 6, 6) < 0.5) * np.uint8(200) + np.uint8(20)
    small[7], small[30] = small[3], small[12]
    ink = duplicates.same_ink(small)
    whole = np.argwhere(np.triu(duplicates.related(duplicates.same_words(said), ink, 0.8), 1))
    monkeypatch.setattr(duplicates, "BLOCK", 7)
    found = np.stack(duplicates.near(said, small, 0.8), 1)
    assert found[np.lexsort(found.T[::-1])].tolist() == whole.tolist()
    assert [3, 7] in whole.tolist()


# --- which pairs are trained on and tested on, on items that need no pictures ---


def items(n: int = 900, seed: int = 0) -> Items:
    """Items by three hands in groups and classes of very different sizes."""
    draw = np.random.RandomState(seed)
    groups = np.sort(draw.randint(0, n // 2, n))
    groups[:80] = 0  # too large to be drawn
    labels = np.array([f"class {i}" for i in np.minimum(draw.randint(0, 60, n), draw.randint(0, 60, n))])
    hands = draw.choice(["tabler", "mdi", "lucide"], n)
    return Items([f"{hand}/{i}" for i, hand in enumerate(hands)], [""] * n, labels, groups)


def chosen(some: Items, split: str = "grouped", seed: int = 3, trained=("tabler", "mdi"), tested=("lucide",), pairs=0):
    return icons.choose(some, Size(60, 90), split, seed, trained=trained, tested=tested, train_pairs=pairs)


@pytest.mark.parametrize("split", image_text.SPLITS)
@pytest.mark.parametrize("hands", [("tabler", "mdi", "lucide"), ("lucide",)])
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_no_item_is_in_two_parts_and_neither_is_a_group_nor_in_zero_shot_a_class(split, hands, seed):
    some = items(seed=seed % 7)
    rows = chosen(some, split, seed, tested=hands)
    assert [len(rows[part]) for part in SPLITS[1:]] == [60, 90]
    for one, other in combinations(SPLITS, 2):
        assert not set(rows[one]) & set(rows[other])
        assert split == "random" or not set(some.groups[rows[one]]) & set(some.groups[rows[other]])
        assert split != "zero_shot" or not set(some.labels[rows[one]]) & set(some.labels[rows[other]])


def test_each_part_is_of_the_collections_asked_for():
    some = items()
    hands = {part: {some.ids[i].split("/")[0] for i in rows} for part, rows in chosen(some).items()}
    assert hands == {"train": {"tabler", "mdi"}, "valid": {"tabler", "mdi"}, "test": {"lucide"}}


def test_the_test_pairs_are_the_same_whatever_is_trained_on():
    some = items()
    tests = [chosen(some, trained=hands)["test"].tolist() for hands in (["mdi"], ["tabler", "mdi", "lucide"])]
    assert tests[0] == tests[1]


def test_fewer_training_pairs_are_among_those_that_are_more_and_the_other_parts_stay():
    some = items()
    few, more, all_of_them = (chosen(some, pairs=pairs) for pairs in (50, 120, 0))
    assert (len(few["train"]), len(more["train"])) == (50, 120)
    assert set(few["train"]) < set(more["train"]) < set(all_of_them["train"])
    for part in ("valid", "test"):
        assert few[part].tolist() == all_of_them[part].tolist()


def test_more_training_pairs_than_there_are_is_an_error_that_says_how_many_there_are():
    some = items()
    most = len(chosen(some)["train"])
    with pytest.raises(InputError, match=f"train_pairs {most + 1} is more than the {most} there are"):
        chosen(some, pairs=most + 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"collections": "tabler feather"}, "collection 'feather' is unknown; choose one of: tabler, mdi, lucide"),
        ({"test_collections": "remix"}, "collection 'remix' is unknown"),
        ({"train_pairs": -5}, "train_pairs -5 is not a count"),
        ({"train_pairs": 10.5}, "train_pairs 10.5 is not a count"),
        ({"train_pairs": True}, "train_pairs True is not a count"),
        ({"split": "half"}, "split 'half' is unknown"),
    ],
)
def test_a_bad_option_is_one_sentence_before_anything_is_built(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        load("icons", cache_folder=tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_collections_are_named_in_any_order_with_commas_or_spaces():
    assert icons.names_of("lucide, tabler") == icons.names_of("tabler lucide") == ["tabler", "lucide"]
    assert icons.names_of("") == list(COLLECTIONS)


# --- the whole way, on small packages ---


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return tmp_path_factory.mktemp("built") / "icons"


@pytest.fixture
def toy(packages, tmp_path, built):
    """Pairs of the packages in `tmp_path`; the first test builds them, the others have a copy of what it built."""
    if built.exists():
        shutil.copytree(built, tmp_path / "icons", dirs_exist_ok=True)
    made = load("icons", "toy", cache_folder=tmp_path, processes=1)
    if not built.exists():
        shutil.copytree(tmp_path / "icons", built, ignore=shutil.ignore_patterns("packages"))
    return made


def test_icons_are_built_once_and_then_need_no_packages(packages, toy, tmp_path, capsys):
    capsys.readouterr()
    assert [len(toy.valid), len(toy.test)] == list(icons.PROFILES["toy"][:2])
    for file in packages.iterdir():
        file.unlink()
    assert load("icons", "toy", cache_folder=tmp_path).digest == toy.digest
    assert capsys.readouterr().err == ""
    assert not [file for file in (tmp_path / "icons").iterdir() if file.name.startswith(cache.PART)]


def test_the_same_packages_give_the_same_bytes_and_other_options_another_digest(packages, toy, tmp_path):
    (tmp_path / "again" / "icons").mkdir(parents=True)
    packages.rename(tmp_path / "again" / "icons" / "packages")
    again = load("icons", "toy", cache_folder=tmp_path / "again", processes=1)
    assert again.digest == toy.digest
    for part in SPLITS:
        one, other = getattr(toy, part), getattr(again, part)
        assert np.array_equal(one.view1[:], other.view1[:])
        assert np.array_equal(one.view2[:], other.view2[:])
    fewer = load("icons", "toy", cache_folder=tmp_path / "again", train_pairs=20)
    assert (len(fewer.train), fewer.digest != toy.digest) == (20, True)


def test_every_picture_stands_beside_its_own_text_and_is_not_blank(packages, toy):
    drawn = {
        d.id: npm.files(COLLECTIONS[d.collection].package, packages)[d.file] for d in icon_files.drawings(packages)[0]
    }
    said = {one.id: one.text for one in icon_texts.icons(icon_files.drawings(packages)[0])}
    for part in (toy.train, toy.valid, toy.test):
        for i, id in enumerate(part.ids):
            assert np.array_equal(part.pictures[i], pictures.thumbnail(pictures.decode(drawn[id])))
            assert part.texts[i] == said[id]
            assert part.pictures[i].min() < 128


def test_mirrored_training_pairs_come_once_more_after_the_others(packages, toy, tmp_path):
    twice = load("icons", "toy", cache_folder=tmp_path, mirrored=True, processes=1)
    n = len(toy.train)
    assert len(twice.train) == 2 * n
    assert twice.train.texts[n:] == twice.train.texts[:n] == toy.train.texts
    assert np.array_equal(twice.train.pictures[n], toy.train.pictures[0][:, ::-1])


def test_the_command_builds_icons_and_names_the_collections_it_has_not(packages, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("xmlib.paths.DATA", tmp_path)
    assert app.main(["data", "icons", "--profile", "toy", "--train-pairs", "20"]) == 0
    assert "20 pairs" in capsys.readouterr().out
    assert app.main(["data", "icons", "--collections", "feather"]) == 2
    assert "choose one of: tabler" in capsys.readouterr().err


# --- the real ones, where they are built ---


@pytest.fixture(scope="module")
def real():
    if not icons.is_built():  # no test asks the network for packages; those made here have the same tests above
        pytest.skip("icons are not built on this machine: xm data download icons; xm data icons")
    return load("icons")


def test_the_real_icons_are_split_without_a_leak(real):
    parts = [real.train, real.valid, real.test]
    assert [len(part) for part in parts[1:]] == [1000, 1000]
    for one, other in combinations(parts, 2):
        assert not set(one.groups) & set(other.groups)
        assert not {text.lower() for text in one.texts} & {text.lower() for text in other.texts}


def test_each_real_collection_can_be_trained_and_tested_on(real):
    known = cache.published(icons._folders(icons.WHOLE, icons.folder_of())[1])
    some = Items(known["ids"], known["texts"], np.array(known["labels"]), np.array(known["groups"]))
    for hand in COLLECTIONS:
        rows = icons.choose(some, icons.SOME, "grouped", 23, trained=[hand], tested=[hand])
        assert [len(rows["valid"]), len(rows["test"])] == [200, 300]
        assert len(rows["train"]) >= 500


def test_every_real_drawing_shows_something_and_every_text_says_something(real):
    for part in (real.train, real.valid, real.test):
        assert all(part.pictures[i].min() < 128 for i in range(len(part)))
        assert all(icon_texts._words(text) for text in part.texts)
