"""Five collections of interface icons as npm packs them: one drawing of each thing, and what its makers call it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from xmlib.data.icons import npm
from xmlib.data.icons.npm import Package

VERSION = 1  # raise it when other drawings may be kept
BRANDS = {"Brand", "Brand / Logo", "brands"}  # categories of logos
PHOSPHOR = re.compile(r'name: "([^"]+)",\s+pascal_name: .*?categories: \[(.*?)\],.*?tags: \[(.*?)\]', re.S)
PHOSPHOR_CATEGORY = re.compile(r'i\.(\w+) = "([^"]+)"')
MARKED = "*new*"  # a tag that marks what came with the last version


class Drawing(NamedTuple):
    """`id`: collection and name; `file`: the SVG in its package; `tags`: what the package says besides the name."""

    id: str
    name: str
    file: str
    tags: list[str]
    categories: list[str]

    @property
    def collection(self) -> str:
        return self.id.partition("/")[0]


Files = dict[str, bytes]


class Collection(NamedTuple):
    """Where a collection comes from, and what makes drawings of the files of its package."""

    package: Package
    licence: str
    read: Callable[[Files], Iterator[Drawing]]


def _tabler(files: Files) -> Iterator[Drawing]:
    for name, about in json.loads(files["icons.json"]).items():
        tags = [str(tag) for tag in about["tags"]]  # some are numbers
        yield Drawing(f"tabler/{name}", name, f"icons/outline/{name}.svg", tags, [about["category"]])


def _mdi(files: Files) -> Iterator[Drawing]:
    """Those in use, drawn in outline only where there is no other version; logos are all about to go."""
    listed = [one for one in json.loads(files["meta.json"]) if not one["deprecated"] or BRANDS & set(one["tags"])]
    names = {about["name"] for about in listed}
    for about in listed:
        name, plain = about["name"], about["name"].removesuffix("-outline")
        if name == plain or plain not in names:
            yield Drawing(f"mdi/{name}", plain, f"svg/{name}.svg", about["aliases"], about["tags"])


def _lucide(files: Files) -> Iterator[Drawing]:
    for name, tags in json.loads(files["tags.json"]).items():
        yield Drawing(f"lucide/{name}", name, f"icons/{name}.svg", tags, [])


def _phosphor(files: Files) -> Iterator[Drawing]:
    """Read from the JavaScript that lists them, which is not run."""
    source = files["dist/index.mjs"].decode()
    head, _, _ = source.partition("const n =")
    titles = dict(reversed(PHOSPHOR_CATEGORY.findall(head)))  # two lists, and the first is the one meant
    for name, categories, tags in PHOSPHOR.findall(source):
        own = [titles[category] for category in re.findall(r"e\.(\w+)", categories)]
        said = [tag for tag in re.findall(r'"([^"]+)"', tags) if tag != MARKED]
        yield Drawing(f"phosphor/{name}", name, f"assets/regular/{name}.svg", said, own)


def _fontawesome(files: Files) -> Iterator[Drawing]:
    import yaml

    listed = json.loads(files["metadata/icon-families.json"])
    categories = yaml.safe_load(files["metadata/categories.yml"]).values()
    narrow = sorted(categories, key=lambda one: (len(one["icons"]), one["label"]))  # the smallest category says most
    for name, about in listed.items():
        style = "solid" if "solid" in about["svgs"]["classic"] else "brands"
        own = ["brands"] if style == "brands" else [one["label"] for one in narrow if name in one["icons"]]
        yield Drawing(
            f"fontawesome/{name}", name, f"svgs/{style}/{name}.svg", [about["label"], *about["search"]["terms"]], own
        )


COLLECTIONS = {
    "tabler": Collection(
        Package("@tabler/icons", "3.52.0", "626620c7d42afd2f294fba167ce4653b5cb946336d186b4991c70b700e5616af"),
        "MIT", _tabler,
    ),
    "mdi": Collection(
        Package("@mdi/svg", "7.4.47", "de92e5dc9ce46c392ab5c53aa7190b19f82b40cb48872a083f788c7e13e91fef"),
        "Apache-2.0", _mdi,
    ),
    "lucide": Collection(
        Package("lucide-static", "1.62.0", "386f9080c440d6f5049cefe3456ae8357f7a0c7f76e59670cd1cb83bc7050a44"),
        "ISC, some MIT", _lucide,
    ),
    "phosphor": Collection(
        Package("@phosphor-icons/core", "2.1.1", "313332be6190b724da24107addd781799b48bf76b13963f24501112ffe1baadd"),
        "MIT", _phosphor,
    ),
    "fontawesome": Collection(
        Package(
            "@fortawesome/fontawesome-free", "7.3.1",
            "ca4e32843bd81711894385c2466fb19c55cfd32ef3c58830b2d1df7bd42e6571",
        ),
        "CC BY 4.0", _fontawesome,
    ),
}  # fmt: skip


def packages() -> list[Package]:
    """The packages of all collections."""
    return [collection.package for collection in COLLECTIONS.values()]


def versions() -> list[str]:
    """Names, versions and hashes of the packages."""
    return [f"{package.asked} {package.sha256}" for package in packages()]


def drawings(folder: Path) -> tuple[list[Drawing], dict[str, int]]:
    """Every drawing but logos, by id, and how many logos each collection has, read from the packages in a folder.

    The sum of logos goes to stderr. Raises InputError where a package is missing or is another one.
    """
    found, logos = [], {}
    for name, collection in COLLECTIONS.items():
        listed = list(collection.read(npm.files(collection.package, folder)))
        kept = [drawing for drawing in listed if not BRANDS & set(drawing.categories)]
        found += kept
        logos[name] = len(listed) - len(kept)
    print(f"left out {sum(logos.values())} logos of brands", file=sys.stderr)
    return sorted(found), logos


def unpack(folder: Path, ids: list[str], target: Path) -> list[Path]:
    """SVG files of the drawings with these ids, written below another folder, in their order."""
    known = {drawing.id: drawing for drawing in drawings(folder)[0]}
    chosen = [known[id] for id in ids]
    for name, collection in COLLECTIONS.items():
        files = npm.files(collection.package, folder)
        for drawing in chosen:
            if drawing.collection == name:
                place = target / f"{drawing.id}.svg"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(files[drawing.file])
    return [target / f"{drawing.id}.svg" for drawing in chosen]
