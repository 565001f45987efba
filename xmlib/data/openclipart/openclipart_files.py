"""The Open Clip Art Library as Debian packs it: pictures from one package, titles and keywords from the other."""

from __future__ import annotations

import html
import re
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from xmlib.data import texts
from xmlib.data.openclipart import debian
from xmlib.errors import InputError

VERSION = 1  # raise it when other pictures may be kept, or texts may come out differently
PACKAGES = ("openclipart-png", "openclipart-svg")
BELOW = {"openclipart-png": "usr/share/openclipart/png/", "openclipart-svg": "usr/share/openclipart/svg/"}
COMMON = 4  # a title or description of more files than that names a collection and not the picture
GENERATED = "gramastar"  # the title of 1,375 stars drawn by one program
JUNK = re.compile(r"\bHASH\b\W*(0x[0-9a-f]+)?\)?|\b0x[0-9a-f]{5,}|\S+@\S+|https?:\S+|\bClip ?art by [^-]* - ", re.I)
EMPTY = {"unsorted", "clipart", "clip", "art", "openclipart", "submission"}  # words that describe no picture
PREFIX = "Clipart by "  # followed by the artist, and by a title that was often copied from another file


class Clip(NamedTuple):
    """`id`: path without ending; `label`: the first two folders of the path."""

    id: str
    title: str
    text: str
    label: str

    def relatives(self) -> list[str]:
        """Strings that it shares with pictures of the same title, and with numbered ones such as horse_01, horse_02."""
        stem = re.sub(r"[\W_\d]+$", "", self.id.split("/")[-1])
        return [f"stem {self.label} {stem}", "title " + " ".join(sorted(texts.words(self.title)))]


class _Said(NamedTuple):
    id: str
    title: str
    keywords: list[str]
    description: str


def clips(packages: Path) -> list[Clip]:
    """Every picture whose title is its own, by path. Raises InputError where a package is missing or damaged."""
    with_picture = {name.removesuffix(".png") for name, _ in debian.files(find(packages)[0], BELOW[PACKAGES[0]])}
    sources = debian.files(find(packages)[1], BELOW[PACKAGES[1]])
    said = [_said(name.removesuffix(".svg"), content) for name, content in sources if name.endswith(".svg")]
    return sorted(clean([one for one in said if one.id in with_picture]))


def find(packages: Path) -> list[Path]:
    """The two .deb files in a folder, PNG first. Raises InputError where one is missing."""
    found = [next(iter(sorted(packages.glob(f"{name}_*.deb"), reverse=True)), None) for name in PACKAGES]
    if None in found:
        raise InputError(
            "openclipart is not on this machine; on Debian or Ubuntu run: xm data download openclipart, "
            f"elsewhere {debian.by_hand(PACKAGES, packages)}"
        )
    return found


def unpack(packages: Path, ids: list[str], folder: Path) -> list[Path]:
    """PNG files of the pictures, written below a folder, in the order of the ids."""
    wanted = set(ids)
    for name, content in debian.files(find(packages)[0], BELOW[PACKAGES[0]]):
        if name.removesuffix(".png") in wanted:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return [folder / f"{id}.png" for id in ids]


def _said(id: str, svg: bytes) -> _Said:
    """What the RDF inside an SVG says of the picture, each "" or [] where it says nothing."""
    whole = svg.decode("utf-8", "replace")
    work = re.search(r"<(?:cc:)?Work\b.*?</(?:cc:)?Work>", whole, re.S)
    about = re.sub(r"<(?:cc:)?Agent\b.*?</(?:cc:)?Agent>", "", work[0] if work else "", flags=re.S)  # has titles too
    title, description, subject = (_element(about, name) for name in ("title", "description", "subject"))
    keywords = [html.unescape(found) for found in re.findall(r"<rdf:li>(.*?)</rdf:li>", subject, re.S)]
    return _Said(id, html.unescape(title).strip(), keywords, html.unescape(description).strip())


def _element(about: str, name: str) -> str:
    found = re.search(rf"<dc:{name}>(.*?)</dc:{name}>", about, re.S)
    return found[1] if found else ""


def clean(said: list[_Said]) -> list[Clip]:
    """The pictures with a title of their own, and what else describes them; how many were left out goes to stderr."""
    titles, descriptions = Counter(one.title for one in said), Counter(one.description for one in said)
    found, without = [], 0
    for one in said:
        most = 1 if one.title.startswith(PREFIX) else COMMON
        title = " ".join(JUNK.sub(" ", one.title).replace("_", " ").split()) if titles[one.title] <= most else ""
        description = one.description if descriptions[one.description] <= COMMON else ""
        more = [word for text in (*one.keywords, description) for word in texts.words(JUNK.sub(" ", text))]
        if set(texts.words(title)) - EMPTY and one.title != GENERATED:
            text = texts.join(title, [word for word in more if word not in EMPTY])
            found.append(Clip(one.id, title, text, "/".join(one.id.split("/")[:-1][:2])))
        else:
            without += 1
    print(f"left out {without} of {len(said)} pictures that have no title of their own", file=sys.stderr)
    return found
