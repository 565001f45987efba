"""From plain notes to a picture of one long staff: our MEI, verovio's SVG, resvg's pixels.

verovio is not given the ABC itself: it misreads some rhythms and crashes on a few tunes. The MEI written here
carries our own note ids, so that every notehead can be found again in the drawing.
"""

from __future__ import annotations

import functools
import io
import re
from typing import Any

import numpy as np

from xmlib.data.audio_score.folk_tunes import Bar, Event, Tune

VERSION = 1  # raise it when a picture may come out differently
LINE_GAP = 6  # pixels between staff lines
HEIGHT, WIDTH = 80, 100  # pixels of one snippet, before halving
HEAD_WIDTHS = {"E0A2": 405, "E0A3": 314, "E0A4": 314}  # whole, half and black notehead, in font units
ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
UNITS = 20  # SVG units per pixel: verovio's 10 per page unit at scale 50
OPTIONS = {
    "inputFrom": "mei", "breaks": "none", "adjustPageWidth": True, "adjustPageHeight": True, "pageWidth": 100000,
    "header": "none", "footer": "none", "mnumInterval": 0, "expandNever": True, "xmlIdSeed": 1,
    "unit": LINE_GAP, "scale": 50, "pageMarginLeft": 200, "pageMarginRight": 200, "pageMarginTop": 119,
    "pageMarginBottom": 120, "svgViewBox": False, "svgRemoveXlink": True,
}  # fmt: skip


def strip(tune: Tune) -> tuple[np.ndarray, np.ndarray]:
    """Picture and notehead columns of a tune.

    Picture: (width, 80) uint8, white 255, one row per pixel *column*, so that a snippet is one block of memory;
    index 40 along the height is the middle staff line. Columns: pixel of the middle of every sounding note's head.
    """
    svg = draw(mei(tune))
    columns, middle = positions(svg, [f"n{note.bar}-{note.event}" for note in tune.notes()])
    grey = pixels(svg)
    padded = np.pad(grey, ((HEIGHT, HEIGHT), (0, WIDTH // 2)), constant_values=255)
    top = middle + HEIGHT - HEIGHT // 2
    return np.ascontiguousarray(padded[top : top + HEIGHT].T), columns


def mei(tune: Tune) -> str:
    """The tune as MEI, every note with the id n<bar>-<event>."""
    key = f"{abs(tune.fifths)}{'s' if tune.fifths > 0 else 'f'}" if tune.fifths else "0"
    ties = _ties(tune)
    bars = "".join(_bar(tune.fifths, b, bar, ties) for b, bar in enumerate(tune.bars))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0">'
        "<meiHead><fileDesc><titleStmt><title/></titleStmt><pubStmt/></fileDesc></meiHead>"
        "<music><body><mdiv><score><scoreDef><staffGrp>"
        f'<staffDef n="1" lines="5" clef.shape="G" clef.line="2" keysig="{key}" '
        f'meter.count="{tune.meter[0]}" meter.unit="{tune.meter[1]}"/></staffGrp></scoreDef>'
        f"<section>{bars}</section></score></mdiv></body></music></mei>"
    )


def draw(mei: str) -> str:
    """SVG of the whole tune on one line."""
    toolkit = _toolkit()
    if not toolkit.loadData(mei):
        raise ValueError("verovio cannot read the MEI")
    return toolkit.renderToSVG(1)


@functools.cache
def _toolkit() -> Any:
    """verovio with our options; to start it takes a third as long as a drawing."""
    import verovio

    verovio.enableLog(verovio.LOG_ERROR)
    toolkit = verovio.toolkit()
    toolkit.setOptions(OPTIONS)
    return toolkit


def positions(svg: str, ids: list[str]) -> tuple[np.ndarray, int]:
    """Pixel columns of the noteheads' middles, in the order of `ids`, and the pixel row of the middle staff line."""
    margin = re.search(r'class="page-margin" transform="translate\((\d+), (\d+)\)"', svg)
    lines = [int(y) for y in re.findall(r'<path d="M\d+ (\d+) L\d+ \1" stroke-width="9"', svg)[:5]]
    heads = re.findall(
        r'<g id="(n\d+-\d+)" class="note">\s*<g class="notehead">\s*'
        r'<use href="#(\w{4})-\w+" transform="translate\((-?\d+), -?\d+\) scale\(([\d.]+)',
        svg,
    )
    middles = {id: int(x) + HEAD_WIDTHS[glyph] * float(scale) / 2 for id, glyph, x, scale in heads}
    columns = [int((int(margin[1]) + middles[id]) // UNITS) for id in ids]
    return np.array(columns, np.int32), (int(margin[2]) + lines[2]) // UNITS


def pixels(svg: str) -> np.ndarray:
    """Grey picture (height, width) uint8 of an SVG on white."""
    import resvg_py
    from PIL import Image

    png = resvg_py.svg_to_bytes(svg_string=svg, background="white", skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("L"))


def _ties(tune: Tune) -> dict[tuple[int, int], str]:
    """MEI's @tie of every tied note, by bar and event: i(nitial), m(edial) or t(erminal)."""
    flat = [((b, e), event.tied) for b, bar in enumerate(tune.bars) for e, event in enumerate(bar.events)]
    following = [tied for _, tied in flat[1:]] + [False]
    kinds = {(False, True): "i", (True, True): "m", (True, False): "t"}
    return {
        place: kinds[tied, goes_on] for (place, tied), goes_on in zip(flat, following, strict=True) if tied or goes_on
    }


def _bar(fifths: int, number: int, bar: Bar, ties: dict[tuple[int, int], str]) -> str:
    """One measure. An accidental is written where the pitch is not what key and bar so far say."""
    opening, closing = _groups(bar.events)
    spelled = _signature(fifths)
    out = []
    for e, event in enumerate(bar.events):
        name = f'xml:id="n{number}-{e}" dur="{event.kind}"' + (f' dots="{event.dots}"' if event.dots else "")
        out += opening[e]
        if event.step:
            name += f' pname="{event.step.lower()}" oct="{event.octave}"'
            if tie := ties.get((number, e)):
                name += f' tie="{tie}"'
            if not event.tied and spelled.get((event.step, event.octave), spelled[event.step]) != event.alter:
                spelled[event.step, event.octave] = event.alter
                name += f' accid="{ACCIDENTALS[event.alter]}"'
        out.append(f"<{'note' if event.step else 'rest'} {name}/>")
        out += closing[e]
    lines = (' left="rptstart"' if bar.repeat_start else "") + (' right="rptend"' if bar.repeat_end else "")
    content = f'<staff n="1"><layer n="1">{"".join(out)}</layer></staff>'
    return f'<measure n="{number + 1}"{lines}>{content}</measure>'


def _signature(fifths: int) -> dict[Any, int]:
    """Alteration of each step under a key signature."""
    altered = "FCGDAEB"[:fifths] if fifths > 0 else "BEADGCF"[:-fifths]
    return {step: (1 if fifths > 0 else -1) * (step in altered) for step in "ABCDEFG"}


def _groups(events: list[Event]) -> tuple[list[list[str]], list[list[str]]]:
    """Tags to open before and to close after each event: tuplets, and the beams that nest with them."""
    tuplets = _tuplets(events)
    spans = [(a, b, f'tuplet num="{events[a].tuplet[0]}" numbase="{events[a].tuplet[1]}"') for a, b in tuplets]
    spans += [(*beam, "beam") for beam in _beams(events) if not any(_cross(beam, other) for other in tuplets)]
    spans.sort(key=lambda span: (span[0] - span[1], span[2] == "beam"))  # the longest outside
    opening = [[f"<{tag}>" for a, _, tag in spans if a == i] for i in range(len(events))]
    closing = [[f"</{tag.split()[0]}>" for _, b, tag in reversed(spans) if b == i] for i in range(len(events))]
    return opening, closing


def _tuplets(events: list[Event]) -> list[tuple[int, int]]:
    """First and last event of every tuplet: it ends when its length is full or the ratio changes."""
    found: list[tuple[int, int]] = []
    start, length = None, 0
    for i, event in enumerate(events):
        if start is not None and event.tuplet != events[start].tuplet:
            found.append((start, i - 1))
            start = None
        if event.tuplet and start is None:
            start, length = i, 0
        length += event.length
        if start is not None and (length >= event.tuplet[2] or i == len(events) - 1):
            found.append((start, i))
            start = None
    return found


def _beams(events: list[Event]) -> list[tuple[int, int]]:
    """First and last event of every beam."""
    found: list[tuple[int, int]] = []
    start = None
    for i, event in enumerate(events):
        if event.beam == "start":
            start = i
        elif event.beam == "stop" and start is not None:
            found.append((start, i))
            start = None
    return found


def _cross(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two spans overlap and neither holds the other."""
    return a[0] < b[0] <= a[1] < b[1] or b[0] < a[0] <= b[1] < a[1]
