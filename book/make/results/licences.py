"""What the book shows of the packages that it is made with: name, version, licence, home page, from their metadata."""

import re
from collections.abc import Callable
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from book.make.results.tables import filled
from xmlib import paths
from xmlib.errors import InputError

LOCK = paths.ROOT / "requirements.lock"
NOT_STATED = "not stated"
LONGEST = 110  # characters of a licence; PyTorch's expression has 96
HOMES = ("homepage", "home", "repository", "source", "sourcecode", "code", "github", "documentation")
ADDRESS = re.compile(r"https?://[\w.~%+#?=&/:@-]+")  # nothing that Markdown or HTML could read otherwise

Metadata = Callable[[str], Any]  # a `Message`, of an installed package by its name, or `PackageNotFoundError`


def fragments(read: Metadata = metadata.metadata) -> dict[str, str]:
    """File name → Markdown: a line for each package of the lock."""
    return {"licences.md": filled("licences", told, read)}


def told(read: Metadata) -> dict[str, Any]:
    """What fills the template."""
    rows = [about(pins, read) for pins in locked().values()]
    return {"rows": rows, "not_stated": NOT_STATED, "unknown": sum(row["licence"] == NOT_STATED for row in rows)}


def locked(lock: Path = LOCK) -> dict[str, list[Requirement]]:
    """Name → the pins of a package, in the order of the names; several where Pythons need different versions."""
    found: dict[str, list[Requirement]] = {}
    for pin in re.findall(r"^[a-z0-9].*?==[^\\\n]*", lock.read_text(encoding="utf-8"), flags=re.MULTILINE):
        requirement = Requirement(pin.strip())
        found.setdefault(requirement.name, []).append(requirement)
    return dict(sorted(found.items()))


def about(pins: list[Requirement], read: Metadata) -> dict[str, str]:
    """What the line of a package says; `InputError` where one that belongs here is not installed."""
    wanted = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    name = pins[0].name
    if not wanted:
        version = ", ".join(next(iter(pin.specifier)).version for pin in pins)
        return {"name": name, "version": version, "licence": "not installed here", "home": "", "shown": ""}
    try:
        found = read(name)
    except metadata.PackageNotFoundError:
        raise InputError(f"{name} is in {LOCK.name} and not installed: run `make setup`.") from None
    return {"name": name, "version": found["Version"], "licence": licence(found), **home(found)}


def licence(told: Message) -> str:
    """The licence expression, else the classifiers of licences, else the first line of the licence, in this order."""
    classifiers = [text.split(" :: ")[1:] for text in told.get_all("Classifier", []) if text.startswith("License ::")]
    named = [parts[-1] for parts in classifiers if parts and parts != ["OSI Approved"]]
    found = [told.get("License-Expression", ""), ", ".join(named), *told.get("License", "").strip().splitlines()[:1]]
    text = next((text for text in map(str.strip, found) if text not in ("", "UNKNOWN")), NOT_STATED)
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def home(told: Message) -> dict[str, str]:
    """`home`, the address that the metadata call so, or of the source; `shown`, the same without its scheme.

    Both are empty where there is none, or none that is a plain address.
    """
    given = (text.partition(",") for text in told.get_all("Project-URL", []))
    urls = {re.sub(r"[\W_]", "", label).lower(): url.strip() for label, _, url in given}
    wanted = [told.get("Home-page", ""), *(urls.get(label, "") for label in HOMES)]
    address = next((url for url in wanted if ADDRESS.fullmatch(url)), "")
    return {"home": address, "shown": re.sub(r"^https?://(www\.)?|/$", "", address)}
