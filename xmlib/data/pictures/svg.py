"""What an SVG may refer to: its own parts, and pictures that it holds itself.

The XML is parsed, with namespaces resolved and nothing fetched, before anything is drawn: whoever draws opens every
file that an image names.
"""

from __future__ import annotations

import base64
import binascii
import re
from xml.parsers import expat

SVG = "http://www.w3.org/2000/svg"
PICTURE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,([a-z0-9+/\s]*[=\s]*)", re.I | re.A)
HELD = re.compile(r"#|data:(?:font/|application/(?:x-)?font|image/(?:png|jpe?g|gif|webp)[;,])|$", re.I)  # in CSS
URL = re.compile(r"""url\(\s*["']?\s*([^"')]*)""", re.I)
IMPORT = re.compile(r"@import[^;]*", re.I)
ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?|\\(.)", re.I | re.S)
DRAWN_AS_IMAGE = ("image", "feImage")  # their href is the name of a file, even if it begins with #
NOT_DRAWN = ("script", "foreignObject")


class NoPicture(ValueError):
    """A file that cannot or must not be used as a picture; the message says why, without naming the file."""


def embedded(svg: str) -> list[bytes]:
    """The files of the pictures that an SVG holds, PNG, JPEG, GIF or WebP by its own word.

    Raises NoPicture for one that is no XML, declares entities, holds a script, or refers to anything outside itself.
    A link for readers to click is no such reference.
    """
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.ProcessingInstructionHandler = reader.instruction
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(svg, True)
    except expat.ExpatError as error:
        raise NoPicture(f"it is no SVG that can be drawn ({error})") from None
    return reader.pictures


class _Reader:
    """Looks at everything in an SVG that can refer to something, as the parser comes to it."""

    def __init__(self) -> None:
        self.pictures: list[bytes] = []
        self.styles: list[str] | None = None  # the text of the style element that is being read

    def doctype(self, name: str, system: str | None, public: str | None, has_declarations: int) -> None:
        if has_declarations:  # entities and default attributes; the bare line of SVG 1.1 is harmless
            raise NoPicture("it declares entities or attributes of its own, and these are not read")

    def instruction(self, target: str, data: str) -> None:
        if target.lower() == "xml-stylesheet":
            raise _outside(data)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, element = name.rpartition(" ")
        if element in NOT_DRAWN:
            raise NoPicture(f"it holds <{element}>, which is not drawn")
        if element == "style":
            self.styles = []
        for key, value in attributes.items():
            if key.rpartition(" ")[2].lower() != "href":
                _check_css(value)
            elif value.strip() and (space, element) != (SVG, "a"):
                self.reference(element, value.strip())

    def reference(self, element: str, target: str) -> None:
        if element in DRAWN_AS_IMAGE and target[:5].lower() == "data:":
            self.pictures.append(_decoded(target))
        elif element in DRAWN_AS_IMAGE or target[0] != "#":
            raise _outside(target)

    def text(self, data: str) -> None:
        if self.styles is not None:
            self.styles.append(data)

    def end(self, name: str) -> None:
        if name.rpartition(" ")[2] == "style" and self.styles is not None:
            _check_css("".join(self.styles))
            self.styles = None


def _check_css(css: str) -> None:
    """Raise NoPicture if a style, or an attribute that may hold one, refers to anything outside."""
    plain = ESCAPE.sub(_unescaped, css) if "\\" in css else css
    for target in (found[1].strip() for found in URL.finditer(plain)):
        if not HELD.match(target):
            raise _outside(target)
    if found := IMPORT.search(plain):
        raise _outside(found[0])


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else ord(found[2])
    return chr(code) if code < 0x110000 else "\ufffd"


def _decoded(target: str) -> bytes:
    """The bytes of a picture in a data: address."""
    found = PICTURE.fullmatch(target)
    try:
        if found:
            return base64.b64decode(found[1])
    except binascii.Error:
        pass
    raise NoPicture(f"it embeds {target[:40]!r}; only PNG, JPEG, GIF and WebP in base64 are drawn")


def _outside(target: str) -> NoPicture:
    return NoPicture(f"it refers to something outside itself, {target[:80]!r}, and nothing is fetched")
