"""What the book shows of the runs: `python -m book.make`, before the book is built.

Fragments and figures are made of records and book/reported.yml, and written to book/_generated; the pages of the
methods are made of the executed notebooks in book/results. The same input gives the same bytes, and a file whose
bytes would not change is left alone, so that the book rebuilds only the pages that a new record touches.
`--readme` fills the part between the two `results` marks of README.md from the committed (medium, full) records.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from book.make import markdown
from book.make.results import image_text, neighborhoods, pages, pages_image_text, speed, tables, variants
from book.make.results.runs import NOT_CONVERGED, PROFILES, Runs, group, longest, rivals
from book.make.write import draw, write
from xmlib import paths
from xmlib.data import Splits
from xmlib.errors import InputError
from xmlib.evaluate import DIRECTIONS
from xmlib.runs import records
from xmlib.show import figures

COMMITTED = ("full", "medium")  # quick records stay on the machine that made them
MARKS = ("<!-- results -->", "<!-- /results -->")
MAKE = {"quick": "make book", "medium": "make medium", "full": "make full"}
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
    """File name → Markdown, for every fragment that a page includes."""
    runs = group(found)
    return {
        "headline.md": _headline(longest(runs), reported),
        "curves.md": _each_profile(runs, _curves) + _missing_profiles(runs),
        "ranks.md": _each_profile(runs, _ranks),
        "metrics.md": _each_profile(runs, _metrics),
        "paired.md": _each_profile(runs, tables.paired),
        "variants.md": variants.table(found),
        "reported_audio_score.md": tables.reported(reported, "audio_score"),
        "reported_iapr.md": tables.reported(reported, "iapr"),
        "provenance.md": tables.provenance(runs) if runs else _missing("quick"),
        "sizes.md": tables.sizes(runs) if runs else _missing("quick"),
        "profiles.md": tables.profiles(),
        "settings.md": tables.all_settings(),
        "grid.md": tables.grid(),
        "difficulty.md": pages.difficulties(),
    }


def data_fragments(found: Sequence[dict]) -> dict[str, str | bytes]:
    """File name → what the page on the data shows of the pairs themselves, where they have been built.

    `found`: the audio records, to say what notes known from training are worth.
    """
    splits = pages.built_pairs()
    if splits is None:
        text = "The pairs have not been built on this machine; `xm data audio_score` builds them.\n"
        return {"pairs.md": text, "tunes.md": text, "melodies.md": text}
    rows = pages.example_rows(splits)
    return {
        "pairs.md": pages.pairs(splits),
        "tunes.md": pages.tunes(splits),
        "melodies.md": _melodies(splits, found),
        "tune.svg": draw(lambda: pages.draw_tune(splits, rows[0])),
        "pairs.svg": draw(lambda: figures.pair_examples(splits.train, rows)),
    }


def _melodies(quick: Splits, found: Sequence[dict]) -> str:
    """The sentence of `pages.melody` for every set of pairs that is built here and has runs, or for the quick pairs."""
    told = []
    for same_pairs in rivals(group(found)):
        splits = pages.pairs_of(same_pairs[0].first)
        if splits is not None:
            told.append(pages.melody(splits, [record for run in same_pairs for record in run.records]))
    return "\n".join(dict.fromkeys(told)) or pages.melody(quick, [])


def pictures(found: Sequence[dict]) -> dict[str, bytes]:
    """File name → SVG: learning curves and ranks of every profile that has records, first seed of each method."""
    drawn = {}
    for same_pairs in reversed(rivals(group(found))):
        first = [run.first for run in same_pairs]
        drawn[f"curves-{same_pairs[0].profile}.svg"] = draw(lambda: figures.learning_curve(first))  # noqa: B023
        drawn[f"ranks-{same_pairs[0].profile}.svg"] = draw(lambda: figures.rank_distribution(first))  # noqa: B023
    return drawn


def _headline(runs: list[Runs], reported: Sequence[dict]) -> str:
    if not runs:
        return _missing("quick")
    text = "\n".join([tables.headline(runs, reported), tables.made_by(runs) + tables.reading(rivals(runs)[0])])
    endings = {run.ending for run in runs}
    if endings - {"", NOT_CONVERGED}:
        text += (
            "\nA run labelled with a number of epochs was planned for so many: its rate fell to 0 in the last of them. "
            "It shows what a plan of that length gives, not what the method can reach.\n"
        )
    if NOT_CONVERGED in endings:
        text += f"\nA run labelled *{NOT_CONVERGED}* was ended by hand or by a limit while its rate was still high.\n"
    return text


def _each_profile(runs: Sequence[Runs], show: Callable[[Sequence[Runs]], str]) -> str:
    """The text of every profile that has records under its own heading, longest first."""
    parts = []
    for same_pairs in rivals(runs):
        endings = {run.ending for run in same_pairs}
        label = f", {endings.pop()}" if len(endings) == 1 and "" not in endings else ""
        parts.append(f"### Profile {same_pairs[0].profile}{label}\n\n{show(same_pairs)}")
    return "\n".join(parts) or _missing("quick")


def _missing_profiles(runs: Sequence[Runs]) -> str:
    there = {run.profile for run in runs} or {"quick"}  # without any records that profile has been named already
    return "".join("\n" + _missing(profile) for profile in PROFILES if profile not in there)


def _missing(profile: str) -> str:
    return f"There is no record of the profile *{profile}* here yet; `{MAKE[profile]}` makes them.\n"


def _metrics(same_pairs: Sequence[Runs]) -> str:
    parts = [f"{name}:\n\n{tables.all_metrics(same_pairs, way)}" for way, name in DIRECTIONS.items()]
    return "\n".join(part[0].upper() + part[1:] for part in parts)


def _curves(same_pairs: Sequence[Runs]) -> str:
    best = "; ".join(
        f"{run.title}: {markdown.number(run.first['valid_mrr'])} at epoch {run.first['best_epoch']}"
        for run in same_pairs
    )
    label = f" Some of these runs are *{NOT_CONVERGED}*." if NOT_CONVERGED in {run.ending for run in same_pairs} else ""
    return markdown.figure(
        f"curves-{same_pairs[0].profile}",
        f"Line chart of MRR by epoch, one colour a method. Best validation MRR – {best}.",
        f"Validation MRR by epoch, and dotted the MRR of as many training pairs; profile {same_pairs[0].profile}, "
        f"first seed of each method. Best validation MRR – {best}.{label}",
    )


def _ranks(same_pairs: Sequence[Runs]) -> str:
    way, name = next(iter(DIRECTIONS.items()))
    hits = "; ".join(f"{run.title}: {run.first['metrics'][way]['r10']:.1f} %" for run in same_pairs)
    return markdown.figure(
        f"ranks-{same_pairs[0].profile}",
        f"Curves of the share of queries answered within the first k candidates. Within ten – {hits}.",
        f"Share of test queries whose right answer is among the first k, {name}, profile {same_pairs[0].profile}, "
        f"first seed of each method. Within the first ten – {hits}.",
    )


def make(records_folder: Path, out: Path) -> list[Path]:
    """The files in `out` that were written or removed; all there but `gradient-*`, `theory-*`, `*.done` is of here."""
    found = load_records(records_folder)
    paper = [record for record in found if record["dataset"] == "audio_score"]
    wanted = {**fragments(paper, records.reported()), **pictures(paper), **data_fragments(paper)}
    wanted |= {**image_text.fragments(found), **image_text.pictures(found, draw)}
    wanted |= {**neighborhoods.fragments(found), **neighborhoods.pictures(found, draw)}
    wanted |= {**pages_image_text.fragments(draw), "current.md": tables.current(found)}
    measured = speed.load()
    wanted |= {**speed.fragments(measured), **speed.pictures(measured, draw)}
    changed = [out / name for name, content in wanted.items() if write(out / name, content)]
    others = {*out.glob("gradient-*"), *out.glob("theory-*"), *out.glob("*.done")}  # of other steps; marks of the grid
    for stale in sorted(set(out.iterdir()) - {out / name for name in wanted} - others):
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
    if not runs:
        return _changed(fill(README, "No medium or full run is committed yet; `make medium` makes them.\n"), README)
    table = tables.readme(runs, records.reported())
    drawn = write(README_FIGURE, draw(lambda: figures.learning_curve([run.first for run in rivals(runs)[0]])))
    return _changed(fill(README, table), README) + _changed(drawn, README_FIGURE)


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
