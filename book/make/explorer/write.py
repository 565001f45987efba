"""The explorer of the book: what each finished run finds for some test queries, made into static files.

`make` writes a file data.js, sheets of pictures and sounds, which the page's own script shows without a server. The
queries are drawn by a seed; the ten best come from all test candidates; the ranks are those of the records.
`python -m book.make.explorer` makes the files; with `--keep` it writes what the longest runs find to a file that is
committed, see `kept`.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from book.make.explorer import embedded, kept, sounds
from book.make.explorer.collect import Found, collect
from book.make.results.runs import PROFILES, title
from xmlib import data, paths
from xmlib.data import Splits, audio_score, cache
from xmlib.errors import InputError
from xmlib.files import write_bytes
from xmlib.methods import METHODS
from xmlib.runs import embeddings, records
from xmlib.show import explorer

VERSION = 2  # raise it when a file may come out differently from the same runs
BUILT = paths.ROOT / "book" / "assets" / "explorer" / "built"


def make(out: Path = BUILT, found: Sequence[dict] | None = None) -> list[Path]:
    """The files in `out` that were written or removed; everything in that folder belongs to this module.

    `found`: records to show; None for those of the book. Pairs are not built for this: without them, or without the
    embeddings of a run, data.js says what is missing, and the page with it.
    """
    of_book = (record for record in records.load_all() if record["profile"] in PROFILES)  # no toys
    shown = shown_records(list(of_book) if found is None else found)
    decided = [VERSION, sounds.VERSION, *(embeddings.path(record).name for record in shown), _content(kept.file())]
    decided += [_content(file) for file in explorer.FILES]
    if _complete(out, cache.key([decided, _on_this_machine(shown)])):
        return []
    sets: list[dict] = []
    files = {file.name: file.read_bytes() for file in explorer.FILES}
    missing: list[str] = []
    for dataset in dict.fromkeys(record["dataset"] for record in shown):
        described, own, lacking = _of_dataset([record for record in shown if record["dataset"] == dataset])
        missing += lacking
        sets += described
        files |= {f"{dataset}/{name}": content for name, content in own.items()}
    content = json.dumps({"sets": sets, "missing": missing}, ensure_ascii=False, separators=(",", ":"))
    files["data.js"] = f"window.xmlibExplorer = {content};\n".encode()
    sizes = {name: len(content) for name, content in files.items()}
    key = cache.key([decided, _on_this_machine(shown)])  # embeddings may have come to it
    files[cache.MANIFEST] = json.dumps({"key": key, "files": sizes}).encode()
    return _write_all(out, files)


def _of_dataset(found: Sequence[dict]) -> tuple[list[dict], dict[str, bytes], list[str]]:
    """What data.js says of a data set, its files, and names of the runs that cannot be shown."""
    splits = next((pairs for record in found if (pairs := pairs_of(record))), None)
    longest, asked = kept.read(splits, found) if splits else ([], [])
    there = [answers.record for answers in longest]
    runs, lacking = load_runs([record for record in found if record not in there])
    if runs and not longest:
        runs += kept.linear(runs[0].record, pairs_of(runs[0].record))
    if splits is None or not (runs or longest):
        return [], {}, lacking
    described, files = collect(splits, runs, longest, asked)
    return [described], files, lacking


def _content(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def keep(dataset: str = "audio_score") -> Path:
    """The file that now has what the longest committed runs of a data set, and linear CCA, find for the queries.

    Raises `InputError` where their pairs, or the embeddings and checkpoints of one of them, are not here.
    """
    found = [record for record in shown_records(records.load_all()) if record["dataset"] == dataset]
    longest = [record for record in found if record["profile"] == found[0]["profile"]]
    runs, lacking = load_runs(longest)
    if lacking or not runs:
        raise InputError(f"What these runs left is not in {paths.RUNS}, or their pairs are not built: {lacking}.")
    splits = pairs_of(runs[0].record)
    return kept.write(splits, kept.linear(runs[0].record, splits) + runs)


def _on_this_machine(shown: Sequence[dict]) -> list[str]:
    """The names of pairs, runs and embeddings that decide which records can be shown, and of nothing else."""
    engraved = {_engraved(record) for record in shown if record["dataset"] == "audio_score"}
    found = sorted(path for path in engraved if (path / cache.MANIFEST).exists())
    folders = [paths.DATA / dataset for dataset in sorted({record["dataset"] for record in shown} - {"audio_score"})]
    folders += [paths.RUNS, paths.RUNS / "embeddings"]
    for folder in folders:
        found += sorted([*folder.glob("*"), *folder.glob(f"*/{cache.MANIFEST}")])
    return [f"{path.parent.name}/{path.name}" for path in found]


def _complete(out: Path, key: str) -> bool:
    """Whether the folder holds all files of these runs already."""
    manifest = cache.read_json(out / cache.MANIFEST)
    if not manifest or manifest["key"] != key:
        return False
    sizes = {p.relative_to(out).as_posix(): p.stat().st_size for p in out.rglob("*") if p.is_file()}
    sizes.pop(cache.MANIFEST)
    return sizes == manifest["files"]


def _write_all(out: Path, files: dict[str, bytes]) -> list[Path]:
    """Writes what has changed, the manifest last, and removes what is not wanted."""
    changed = []
    for name, content in files.items():
        path = out / name
        if not path.exists() or path.read_bytes() != content:
            write_bytes(path, content)
            changed.append(path)
    wanted = {out / name for name in files}
    for stale in sorted(path for path in out.rglob("*") if path.is_file() and path not in wanted):
        stale.unlink(missing_ok=True)
        changed.append(stale)
    return changed


def shown_records(found: Sequence[dict]) -> list[dict]:
    """For each data set in its usual form, profile and method the record of the first seed: longest profile first."""
    order = {name: i for i, name in enumerate((*PROFILES, "toy"))}
    methods = {name: i for i, name in enumerate(METHODS)}
    usual = [r for r in found if not r.get("variant") and r["method"] in METHODS]
    first: dict[tuple, dict] = {}
    for record in sorted(usual, key=lambda r: (r["dataset"], order[r["profile"]], methods[r["method"]], r["seed"])):
        first.setdefault((record["dataset"], record["profile"], record["method"]), record)
    return list(first.values())


def load_runs(found: Sequence[dict]) -> tuple[list[Found], list[str]]:
    """The runs of one data set whose embeddings are here, all on the same test pairs, and names of the others."""
    runs: list[Found] = []
    missing = []
    for record in found:
        splits = pairs_of(record)
        own = embedded.of_run(record, splits) if splits else None
        if own and (not runs or record["data"]["test_groups"] == runs[0].record["data"]["test_groups"]):
            runs.append(Found(record, own))
        else:
            missing.append(f"{title(record['method'])} ({record['dataset']}, {record['profile']})")
    return runs, missing


def pairs_of(record: dict) -> Splits | None:
    """The pairs behind a record; None where they have not been built on this machine."""
    parameters = record["parameters"]
    if record["dataset"] != "audio_score":
        return _pictures_and_texts(parameters)
    if parameters.get("dataset_file"):
        return None
    if not cache.published(_engraved(record)):
        return None
    return data.load("audio_score", record["profile"], 23, difficulty=parameters["difficulty"])


def _engraved(record: dict) -> Path:
    """The folder of the pairs of sheet music that a record is of."""
    settings = audio_score.PROFILES[record["profile"]]
    decided = audio_score.settings(settings, 23, record["parameters"]["difficulty"])
    return paths.DATA / "audio_score" / f"pairs-{cache.key(decided)}"


def _pictures_and_texts(parameters: dict) -> Splits | None:
    """These come from packages and not from long runs; None where a file that they need is not here."""
    try:
        return data.asked(parameters)
    except InputError as error:
        print(error, file=sys.stderr)
        return None


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m book.make.explorer", description="Make the files of the explorer.")
    parser.add_argument("--out", type=Path, default=BUILT, help="folder of the files")
    parser.add_argument("--keep", action="store_true", help="write what the longest runs find for the queries instead")
    options = parser.parse_args(arguments)
    try:
        if options.keep:
            target = keep()
            print(f"{target}: {target.stat().st_size / 1e3:.0f} kB", file=sys.stderr)
        else:
            print(f"explorer: {len(make(options.out))} files changed", file=sys.stderr)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
