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
LINE_GAP = 6  # pixels between the lines of a single staff
HEIGHT, WIDTH = 80, 100  # pixels of one snippet, before halving
HEAD_WIDTHS = {"E0A2": 405, "E0A3": 314, "E0A4": 314}  # whole, half and black notehead, in font units
ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
OPTIONS = {
    "inputFrom": "mei", "breaks": "none", "adjustPageWidth": True, "adjustPageHeight": True, "pageWidth": 100000,
    "header": "none", "footer": "none", "mnumInterval": 0, "expandNever": True, "xmlIdSeed": 1,
    "unit": LINE_GAP, "scale": 50, "pageMarginLeft": 200, "pageMarginRight": 200, "pageMarginTop": 119,
    "pageMarginBottom": 120, "svgViewBox": False, "svgRemoveXlink": True,
}  # fmt: skip
SYSTEM = {"unit": 5, "scale": 40}  # two staves, lines 4 pixels apart: both are in the picture
LOWER = 4  # pixels from the middle of a system to that of its picture: basses reach further down than sopranos up
CLEFS = ('clef.shape="G" clef.line="2"', 'clef.shape="F" clef.line="4"')


def strip(tune: Tune) -> tuple[np.ndarray, np.ndarray]:
    """Picture and notehead columns of a tune.

    Picture: (width, 80) uint8, white 255, one row per pixel *column*, so that a snippet is one block of memory;
    index 40 along the height is the middle staff line, of a system 36 the middle between its staves. Columns: pixel of
    the middle of the head of every sounding note of the melody. Raises `ValueError` where a notehead of a system would
    be cut off.
    """
    many = len(staves(tune))
    svg = draw(mei(tune), many)
    heads, middle = positions(svg, many)
    columns = [int(heads[f"n0-{note.bar}-{note.event}"][0]) for note in tune.notes()]
    padded = np.pad(pixels(svg), ((HEIGHT, HEIGHT), (0, WIDTH // 2)), constant_values=255)
    top = middle - HEIGHT // 2 + (LOWER if many > 1 else 0)
    if any(not top + 2 <= row <= top + HEIGHT - 2 for _, row in heads.values()):
        raise ValueError("notes beyond the picture's height")
    top += HEIGHT  # of the padding
    return np.ascontiguousarray(padded[top : top + HEIGHT].T), np.array(columns, np.int32)


def staves(tune: Tune) -> list[list[int]]:
    """The numbers of the voices on each staff: one staff for a tune, two with two voices each for a chorale."""
    return [[0]] if not tune.lower else [[0, 1], [2, 3]]


def mei(tune: Tune) -> str:
    """The tune as MEI, every note with the id n<voice>-<bar>-<event>."""
    key = f"{abs(tune.fifths)}{'s' if tune.fifths > 0 else 'f'}" if tune.fifths else "0"
    definitions = "".join(
        f'<staffDef n="{n}" lines="5" {clef} keysig="{key}" '
        f'meter.count="{tune.meter[0]}" meter.unit="{tune.meter[1]}"/>'
        for n, (_, clef) in enumerate(zip(staves(tune), CLEFS, strict=False), start=1)
    )
    ties = [_ties(voice) for voice in tune.voices]
    bars = "".join(_measure(tune, number, ties) for number in range(len(tune.bars)))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0">'
        "<meiHead><fileDesc><titleStmt><title/></titleStmt><pubStmt/></fileDesc></meiHead>"
        f"<music><body><mdiv><score><scoreDef><staffGrp>{definitions}</staffGrp></scoreDef>"
        f"<section>{bars}</section></score></mdiv></body></music></mei>"
    )


def draw(mei: str, staves: int = 1) -> str:
    """SVG of the whole tune on one line."""
    toolkit = _toolkit(staves)
    if not toolkit.loadData(mei):
        raise ValueError("verovio cannot read the MEI")
    return toolkit.renderToSVG(1)


def options(staves: int) -> dict[str, Any]:
    """Verovio's, for a single staff or a system."""
    return OPTIONS | (SYSTEM if staves > 1 else {})


@functools.cache
def _toolkit(staves: int) -> Any:
    """verovio with our options; to start it takes a third as long as a drawing."""
    import verovio

    verovio.enableLog(verovio.LOG_ERROR)
    toolkit = verovio.toolkit()
    toolkit.setOptions(options(staves))
    return toolkit


def positions(svg: str, staves: int = 1) -> tuple[dict[str, tuple[float, float]], int]:
    """Pixel column and row of the middle of every notehead by its id, and the pixel row of the middle of the staves."""
    margin = re.search(r'class="page-margin" transform="translate\((\d+), (\d+)\)"', svg)
    units = 1000 / options(staves)["scale"]  # of the SVG per pixel
    lines = [int(y) for y in re.findall(r'<path d="M0 (\d+) L\d+ \1"', svg)[: 5 * staves]]
    heads = re.findall(
        r'<g id="(n\d+-\d+-\d+)" class="note">\s*<g class="notehead">\s*'
        r'<use href="#(\w{4})-\w+" transform="translate\((-?\d+), (-?\d+)\) scale\(([\d.]+)',
        svg,
    )
    places = {
        id: (
            (int(margin[1]) + int(x) + HEAD_WIDTHS[glyph] * float(scale) / 2) / units,
            (int(margin[2]) + int(y)) / units,
        )
        for id, glyph, x, y, scale in heads
    }
    return places, int((int(margin[2]) + (lines[0] + lines[-1]) / 2) / units)


def pixels(svg: str) -> np.ndarray:
    """Grey picture (height, width) uint8 of an SVG on white."""
    import resvg_py
    from PIL import Image

    png = resvg_py.svg_to_bytes(svg_string=svg, background="white", skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("L"))


def _ties(bars: list[Bar]) -> dict[tuple[int, int], str]:
    """MEI's @tie of every tied note, by bar and event: i(nitial), m(edial) or t(erminal)."""
    flat = [((b, e), event.tied) for b, bar in enumerate(bars) for e, event in enumerate(bar.events)]
    following = [tied for _, tied in flat[1:]] + [False]
    kinds = {(False, True): "i", (True, True): "m", (True, False): "t"}
    return {
        place: kinds[tied, goes_on] for (place, tied), goes_on in zip(flat, following, strict=True) if tied or goes_on
    }


def _measure(tune: Tune, number: int, ties: list[dict[tuple[int, int], str]]) -> str:
    """One measure of all staves."""
    content = ""
    for n, voices in enumerate(staves(tune), start=1):
        signs = _accidentals(tune.fifths, {voice: tune.voices[voice][number].events for voice in voices})
        layers = (
            f'<layer n="{n}">{_layer(voice, number, tune.voices[voice][number].events, ties[voice], signs)}</layer>'
            for n, voice in enumerate(voices, start=1)
        )
        content += f'<staff n="{n}">{"".join(layers)}</staff>'
    bar = tune.bars[number]
    lines = (' left="rptstart"' if bar.repeat_start else "") + (' right="rptend"' if bar.repeat_end else "")
    return f'<measure n="{number + 1}"{lines}>{content}</measure>'


def _layer(
    voice: int, number: int, events: list[Event], ties: dict[tuple[int, int], str], signs: dict[tuple[int, int], str]
) -> str:
    """The events of one voice in one bar."""
    opening, closing = _groups(events)
    out = []
    for e, event in enumerate(events):
        name = f'xml:id="n{voice}-{number}-{e}" dur="{event.kind}"' + (f' dots="{event.dots}"' if event.dots else "")
        out += opening[e]
        if event.step:
            name += f' pname="{event.step.lower()}" oct="{event.octave}"'
            if tie := ties.get((number, e)):
                name += f' tie="{tie}"'
            if sign := signs.get((voice, e)):
                name += f' accid="{sign}"'
        out.append(f"<{'note' if event.step else 'rest'} {name}/>")
        out += closing[e]
    return "".join(out)


def _accidentals(fifths: int, voices: dict[int, list[Event]]) -> dict[tuple[int, int], str]:
    """Accidentals of one staff in one bar by voice and event: where a pitch is not what key and bar so far say."""
    starts = []
    for voice, events in voices.items():
        lengths = [event.length for event in events]
        starts += [(sum(lengths[:e]), voice, e, event) for e, event in enumerate(events) if event.step]
    spelled, signs = _signature(fifths), {}
    for _, voice, e, event in sorted(starts):
        if not event.tied and spelled.get((event.step, event.octave), spelled[event.step]) != event.alter:
            spelled[event.step, event.octave] = event.alter
            signs[voice, e] = ACCIDENTALS[event.alter]
    return signs


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
