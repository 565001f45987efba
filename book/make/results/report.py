"""What the book shows of the runs: `python -m book.make`, before the book is built.

Fragments and figures are made of records and book/reported.yml, and written to book/_generated; the pages of the
methods are made of the executed notebooks in book/results. The same input gives the same bytes, and a file whose
bytes would not change is left alone, so that the book rebuilds only the pages that a new record touches.
`--readme` fills the part between the two `results` marks of README.md from the committed (medium, full) records.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from book.make import trials
from book.make.results import (
    advice,
    all_runs,
    beyond,
    chorales,
    dial,
    fewer_pairs,
    heads,
    image_text,
    ladder,
    licences,
    neighborhoods,
    pages,
    pages_image_text,
    speed,
    stands,
    tables,
    trust,
    variants,
)
from book.make.results.runs import group, longest, rivals
from book.make.write import draw, files, write
from book.show import audio_figures, curves
from book.show.drawings import Drawing
from xmlib import paths
from xmlib.data import Splits
from xmlib.errors import InputError
from xmlib.runs import records

COMMITTED = ("full", "medium")  # quick records stay on the machine that made them
MARKS = ("<!-- results -->", "<!-- /results -->")
README = paths.ROOT / "README.md"
README_FIGURE = paths.ROOT / "book" / "assets" / "curves.svg"


def load_records(folder: Path) -> list[dict]:
    """Every record below the folder, in the order of their paths; `InputError` for a broken or misnamed file."""
    found = []
    for path in sorted(folder.glob("*/*.json")):
        record = records.load(path)
        expected = records.file_name(record)
        if expected != path.relative_to(folder).as_posix():
            raise InputError(f"{path} holds the record of {expected}; give it that name or remove it.")
        found.append(record)
    return found


def fragments(found: Sequence[dict], reported: Sequence[dict]) -> dict[str, str]:
    """File name → Markdown, for every fragment on sheet music and sound that a page includes."""
    runs = group(found)
    values: dict[str, tuple] = {
        "headline": (tables.headline, longest(runs), reported),
        "curves": (tables.curves, runs),
        "ranks": (tables.profiles_of, runs),
        "metrics": (tables.metrics, runs),
        "paired": (tables.paired, runs),
        "variants": (variants.variants, found),
        "provenance": (tables.provenance, runs),
        "sizes": (tables.profiles_of, runs),
        "profiles": (tables.profiles,),
        "settings": (tables.all_settings,),
        "grid": (tables.grid,),
        "difficulty": (pages.difficulties,),
    }
    numbers = {
        f"reported_{dataset}.md": tables.filled("reported", tables.reported, reported, dataset)
        for dataset in ("audio_score", "iapr")
    }
    return {f"{name}.md": tables.filled(name, *told) for name, told in values.items()} | numbers


def data_fragments(found: Sequence[dict]) -> dict[str, str | Drawing]:
    """File name → what the page on the data shows of the pairs themselves, where they have been built.

    `found`: the audio records, to say what notes known from training are worth.
    """
    splits = pages.built_pairs()
    if splits is None:
        text = tables.filled("unbuilt", {"commands": ["xm data audio_score"]})
        return {"pairs.md": text, "tunes.md": text, "melodies.md": text}
    rows = pages.example_rows(splits)
    return {
        "pairs.md": tables.filled("pairs", pages.pairs, splits),
        "tunes.md": tables.filled("tunes", pages.tunes, splits),
        "melodies.md": tables.filled("melodies", {"melodies": _melodies(splits, found)}),
        "tune.svg": draw(partial(pages.draw_tune, splits, rows[0])),
        "pairs.svg": draw(partial(audio_figures.pair_examples, splits.train, rows)),
    }


def _melodies(quick: Splits, found: Sequence[dict]) -> list[dict]:
    """`pages.melody` of every set of pairs that is built here and has runs, or of the quick pairs; each once."""
    told = []
    for same_pairs in rivals(group(found)):
        splits = pages.pairs_of(same_pairs[0].first)
        if splits is not None:
            told.append(pages.melody(splits, [record for run in same_pairs for record in run]))
    known = [one for one in told or [pages.melody(quick, [])] if one]
    return [one for i, one in enumerate(known) if one not in known[:i]]


def pictures(found: Sequence[dict]) -> dict[str, Drawing]:
    """File name → SVG: learning curves and ranks of every profile that has records, first seed of each method."""
    drawn = {}
    for same_pairs in reversed(rivals(group(found))):
        first = [run.first for run in same_pairs]
        drawn[f"curves-{same_pairs[0].profile}.svg"] = draw(partial(curves.learning_curve, first))
        drawn[f"ranks-{same_pairs[0].profile}.svg"] = draw(partial(audio_figures.rank_distribution, first))
    return drawn


def of_records(found: Sequence[dict]) -> dict[str, str | Drawing]:
    """File name → what the records of runs say."""
    paper = [record for record in found if record["dataset"] == "audio_score"]
    wanted = {**fragments(paper, records.reported()), **pictures(paper), **data_fragments(paper)}
    wanted |= {**image_text.fragments(found), **image_text.pictures(found, draw)}
    wanted |= {**neighborhoods.fragments(found), **neighborhoods.pictures(found, draw)}
    wanted |= {**heads.fragments(found), **heads.pictures(found, draw), **all_runs.fragments(found)}
    wanted |= {**dial.fragments(found), **dial.pictures(found, draw), **chorales.fragments(found)}
    wanted |= {**fewer_pairs.fragments(found), **fewer_pairs.pictures(found, draw), **ladder.fragments(found)}
    wanted |= stands.fragments(found, trials.load())
    return wanted | {"current.md": tables.filled("current", tables.current(found))}


def of_other_sources() -> dict[str, str | Drawing]:
    """File name → what pairs of pictures and texts, trials, measurements of speed and the packages' metadata say."""
    tried, measured = trials.load(), speed.load()
    wanted = {**pages_image_text.fragments(draw), **advice.fragments(tried), **advice.pictures(tried, draw)}
    shown: dict[str, str | Drawing] = {
        **speed.fragments(measured),
        **beyond.fragments(measured),
        **speed.pictures(measured, draw),
    }
    return {**wanted, **shown, **trust.fragments(*map(trust.load, (trust.FILE, trust.PYTHONS))), **licences.fragments()}


def make(records_folder: Path, out: Path) -> list[Path]:
    """The files in `out` that were written or removed; all there but `gradient-*`, `theory-*`, `*.done` is of here."""
    contents = files(of_records(load_records(records_folder)) | of_other_sources())
    changed = [out / name for name, content in contents.items() if write(out / name, content)]
    others = {*out.glob("gradient-*"), *out.glob("theory-*"), *out.glob("*.done")}  # of other steps; marks of the grid
    for stale in sorted(set(out.iterdir()) - {out / name for name in contents} - others):
        stale.unlink()
        changed.append(stale)
    return changed


def make_pages(results: Path) -> list[Path]:
    """The pages of the methods that were written, beside the folders of executed notebooks in `results`."""
    return [results / name for name, content in pages.methods(results).items() if write(results / name, content)]


def make_readme(records_folder: Path) -> list[Path]:
    """The files that changed: README.md, and the figure of committed learning curves that it may show."""
    found = [r for r in load_records(records_folder) if r["profile"] in COMMITTED and r["dataset"] == "audio_score"]
    runs = longest(group(found))
    text = tables.filled("readme", tables.readme(runs, records.reported()))
    if not runs:
        return _changed(fill(README, text), README)
    drawn = write(README_FIGURE, draw(lambda: curves.learning_curve([run.first for run in rivals(runs)[0]])).wide)
    return _changed(fill(README, text), README) + _changed(drawn, README_FIGURE)


def _changed(did: bool, path: Path) -> list[Path]:
    return [path] if did else []


def fill(readme: Path, text: str) -> bool:
    """True when the part between the marks changed; `InputError` when the marks are missing."""
    whole = readme.read_text(encoding="utf-8")
    start, end = (whole.find(mark) for mark in MARKS)
    if start < 0 or end < start:
        raise InputError(f"{readme} lacks {MARKS[0]} with {MARKS[1]} after it: put both where the table belongs.")
    return write(readme, f"{whole[: start + len(MARKS[0])]}\n\n{text}\n{whole[end:]}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 after a line that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m book.make", description=__doc__)
    parser.add_argument("--records", type=Path, default=paths.RECORDS, help="folder of records")
    parser.add_argument("--results", type=Path, default=paths.RESULTS, help="folder of executed notebooks")
    parser.add_argument("--out", type=Path, default=paths.GENERATED, help="folder of fragments and figures")
    parser.add_argument("--readme", action="store_true", help="fill README.md and its figure instead")
    options = parser.parse_args(arguments)
    try:
        if options.readme:
            changed = make_readme(options.records)
        else:
            changed = make(options.records, options.out) + make_pages(options.results)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"report: {len(changed)} files changed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
