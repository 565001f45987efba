"""What an icon is called and what it belongs to: its text, its class, and the strings that it shares with relatives."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from xmlib.data import texts
from xmlib.data.icons.icon_files import Drawing

VERSION = 1  # raise it when a text, a class or relatives may come out differently
NUMBERED = re.compile(r"(.+)-(\d)")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ADMINISTRATION = {"System", "system", "objects", "Symbols"}  # categories whose names describe no picture
OTHER = "other"
LABELS = {  # the categories of all collections under one name each; what is not here goes by its own
    "accounts": ("Account / User",),
    "agriculture": ("Agriculture",),
    "alerts": ("Alert / Error", "Alert", "Notification", "Disaster + Crisis"),
    "animals": ("Animal", "Animals"),
    "arrows": ("Arrow", "Arrows", "arrows", "Moving"),
    "buildings": ("Buildings", "Places"),
    "business": ("Business", "Marketing"),
    "cars and roads": ("Automotive", "Transportation + Road"),
    "charts": ("Charts", "Charts + Diagrams"),
    "clothing": ("Clothing", "Clothing + Fashion"),
    "code": ("Development", "Developer / Languages", "technology & development", "Coding", "Version control", "Logic"),
    "communication": ("Communication", "communications", "Social", "Social Media"),
    "computers": ("Computers", "Device / Tech", "Devices + Hardware", "Printer", "Connectivity"),
    "databases": ("Database", "Cloud"),
    "design": ("Design", "design", "Vector", "Drawing / Art", "Arrange", "Color"),
    "devices": ("Devices",),
    "documents": ("Document", "Files / Folders", "Files", "office"),
    "film": ("Video / Movie", "Film + Video"),
    "food": ("Food", "Food / Drink", "Food + Beverage", "Fruits + Vegetables"),
    "games": ("Games", "Gaming / RPG", "Gaming", "games", "Childhood"),
    "hands and gender": ("Gender", "Genders", "Hands", "Gestures"),
    "health": ("Health", "Medical / Hospital", "Health / Beauty", "health & wellness", "Medical + Health"),
    "home": ("Household", "Home Automation", "Laundry"),
    "letters and numbers": ("Letters", "Numbers", "Alpha / Numeric", "Alphabet"),
    "locks": ("Lock", "Security"),
    "maps": ("Map", "Navigation", "Geographic Information System", "maps & travel", "Maps", "Travel + Hotel"),
    "mathematics": ("Math", "Mathematics"),
    "media": ("Media", "media", "Media Playback"),
    "money": ("Currencies", "Currency", "Banking", "finances", "Money"),
    "moods": ("Mood", "Emoji"),
    "music": ("Audio", "Music", "Music + Audio"),
    "nature": ("Nature", "nature", "Camping"),
    "people": ("People / Family", "people", "Users + People", "Accessibility", "Humanitarian", "Political", "Charity"),
    "phones": ("Cellphone / Phone",),
    "photographs": ("Photography", "Photos + Images"),
    "power": ("Battery", "Electrical", "Energy"),
    "religion and holidays": ("Religion", "Holiday", "Holidays", "Halloween", "Zodiac"),
    "science": ("Science", "Science Fiction", "Astronomy", "Education"),
    "settings": ("Settings", "Form", "View", "Toggle", "Spinners", "Tooltip", "Extensions"),
    "shapes": ("Shape", "Shapes", "Badges"),
    "ships and planes": ("Transportation + Flying", "Transportation + Water", "Maritime"),
    "shops": ("E-commerce", "Shopping", "commerce"),
    "sport": ("Sport", "Sports + Fitness"),
    "text": ("Text", "Text / Content / Format", "Text Formatting", "Edit / Modify", "Editing", "editor", "Writing",
             "Punctuation + Symbols"),
    "time": ("Date / Time", "Time"),
    "tools": ("Hardware / Tools", "Construction"),
    "vehicles": ("Vehicles", "Transportation + Other", "Transportation", "Logistics"),
    "weather": ("Weather", "weather"),
}  # fmt: skip
LABEL = {category: label for label, categories in LABELS.items() for category in categories}


class Icon(NamedTuple):
    """`id`: collection and name; `name`: its words; `label`: a class that all collections share."""

    id: str
    name: str
    text: str
    label: str

    @property
    def collection(self) -> str:
        return self.id.partition("/")[0]

    @property
    def head(self) -> str:
        """The first word of the name, which says what is drawn: heart of *heart off*, *hearts*, *heart 2*."""
        return _singular(_words(self.name)[0])

    def relatives(self) -> Iterator[str]:
        """Strings that it shares with drawings of the same thing by any hand, whatever else is in them."""
        yield f"head {self.head}"
        yield "words " + " ".join(sorted(map(_singular, _words(self.name))))


def _words(name: str) -> list[str]:
    return texts.words(name) or [name]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def icons(drawings: Sequence[Drawing]) -> list[Icon]:
    """The drawings with their texts: name: other words of tags and categories; no word twice."""
    names = {drawing.id for drawing in drawings}
    plain = [_name(drawing, names) for drawing in drawings]
    labels = _labels(drawings, [_singular(_words(name)[0]) for name in plain])
    found = []
    for drawing, name, label in zip(drawings, plain, labels, strict=True):
        categories = [category for category in drawing.categories if category not in ADMINISTRATION]
        found.append(Icon(drawing.id, name, texts.join(name, [*drawing.tags, *categories]), label))
    return found


def _name(drawing: Drawing, names: set[str]) -> str:
    """The words of the name, without a digit that only tells it from another drawing of the same name.

    A digit of which the tags speak is drawn, as on a die.
    """
    counted = NUMBERED.fullmatch(drawing.name)
    if counted and f"{drawing.collection}/{counted[1]}" in names and not _says(drawing.tags, counted[2]):
        return counted[1].replace("-", " ")
    return drawing.name.replace("-", " ")


def _says(tags: Sequence[str], digit: str) -> bool:
    return bool({digit, DIGITS[int(digit)]} & {word for tag in tags for word in texts.words(tag)})


def _labels(drawings: Sequence[Drawing], heads: Sequence[str]) -> list[str]:
    """The class of each drawing: of its first category, or of most drawings with its head where it has none."""
    own = [next((LABEL.get(one, one) for one in d.categories if one not in ADMINISTRATION), "") for d in drawings]
    of_head: dict[str, Counter[str]] = defaultdict(Counter)
    for head, label in zip(heads, own, strict=True):
        if label:
            of_head[head][label] += 1
    likely = {head: min(count, key=lambda one: (-count[one], one)) for head, count in of_head.items()}
    return [label or likely.get(head, OTHER) for label, head in zip(own, heads, strict=True)]
