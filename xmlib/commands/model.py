"""`xm train`, `evaluate` and `refit`: a model of one's own pairs, made, scored, and its head estimated again."""

import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from xmlib.commands import printing, stopping
from xmlib.commands.reading import PAIRS, options, pairs_of
from xmlib.errors import InputError

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
COLUMNS = {"r1": "R@1", "r5": "R@5", "r10": "R@10", "median_rank": "median rank", "mrr": "MRR"}
MOST_THREADS = 1024
WIDTH = 96  # of a paragraph
SECONDS = 5.0  # between two lines of progress in a log, where epochs may take milliseconds
METHODS = "linear_cca, linear_nce, ccal_tno, ccal_cont, ccal_nce, learned_cont, learned_nce"  # imported, help is slow


@options(PAIRS)
def train(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder for the model.")],
    reading: dict[str, str],
    method: Annotated[str, typer.Option(help=f"auto keeps the best on validation; or one of {METHODS}.")] = "auto",
    minutes: Annotated[float, typer.Option(min=0, help="The most minutes for training.")] = 10.0,
    d: Annotated[int, typer.Option(min=0, help="Size of the embedding; 0 lets the pairs decide.")] = 0,
    batch: Annotated[int, typer.Option(min=0, help="Pairs in a batch; 0 lets the number of pairs decide.")] = 0,
    epochs: Annotated[int, typer.Option(min=0, help="The most epochs; 0 is until patience ends.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split, the weights and the order of pairs.")] = 1,
    pixels: Annotated[int, typer.Option(min=0, help="Side of small grey pictures; 0 takes pretrained features.")] = 0,
    test_share: Annotated[float, typer.Option(help="Share of test pairs, where no split is given.")] = 0.2,
    valid_share: Annotated[float, typer.Option(help="Share of validation pairs, likewise.")] = 0.1,
    device: Annotated[str, typer.Option(help="Where to train: auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int,
        typer.Option(min=1, max=MOST_THREADS, help="Another number changes the last digits."),
    ] = 1,
    history: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for the histories as they grow.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Train a model on pairs of your own.

    The folder then holds the model, and indexes of all items in both directions. Test scores are printed beside those
    of linear CCA and chance. Ctrl-C keeps the best model so far; a second Ctrl-C ends at once.
    """
    import torch

    from xmlib import methods
    from xmlib.data.own.ready import ready
    from xmlib.profiles import choose
    from xmlib.retriever import choice, folder, histories

    choose("method", method, ("auto", *choice.ORDER))
    torch.set_num_threads(threads)
    on = methods.device(device).type
    folder.check_place(model.expanduser())
    pairs = pairs_of(reading)
    data = ready(
        pairs, seed, test_share=test_share, valid_share=valid_share, preparations=_pictures(pairs, pixels)
    )  # fmt: skip
    asked = choice.ORDER if method == "auto" else (method,)
    changes = {name: value for name, value in {"d": d, "batch": batch, "epochs": epochs}.items() if value}
    line, kept_rows = printing.Progress(SECONDS), histories.Kept(history)

    def after(name: str, row: dict[str, Any]) -> None:
        line(_epoch(name, row))
        kept_rows(name, row)

    with stopping.gently() as ctrl_c:
        done = choice.trials(data, minutes, asked, seed, on, line.keep, after, **changes)
        ctrl_c.raises = False  # what is trained is kept, whenever the first comes
        for trial in done:
            kept_rows.end(trial.method, trial.stopped)
        own = [trial for trial in done if method in ("auto", trial.method)]
        if ctrl_c.asked and not own:
            printing.say(f"nothing was trained by then, so that nothing is in {model}")
            return stopping.STOPPED
        best = choice.best(own)
        choice.keep(best, data, model)
    if as_json:
        kept = {"model": str(model), "chosen": best.method, "pairs": len(pairs), "left_out": pairs.left_out}
        trials = [{"method": t.method, "valid_mrr": t.valid_mrr, "metrics": t.test["metrics"]} for t in done]
        print(printing.as_json(kept | {"stopped": ctrl_c.asked, "trials": trials}))
    else:
        rows = choice.table(done, data).reset_index().to_dict("records")
        print(printing.table([line for row in rows for line in _both_ways(row, choice.NAMES)]))
        if method == "auto":
            words = choice.recommendation(done, data.splits.test.groups.tolist()).replace("**", "").replace("`", "")
            print("\n" + textwrap.fill(words, WIDTH) + "\n")
        print(f"{best.title} ({best.method}){', the best so far,' if ctrl_c.asked else ''} is in {model}")
    return stopping.STOPPED if ctrl_c.asked else 0


def _both_ways(row: dict[str, Any], directions: tuple[str, ...]) -> list[dict[str, Any]]:
    """A row of `choice.table` as a line for each direction, which a terminal is wide enough for."""
    first = {name: row[name] for name in ("method", "validation MRR")}
    return [
        first | {"direction": way} | {name.split(",")[0]: row[name] for name in row if name.endswith(f", {way}")}
        for way in directions
    ]


def _pictures(pairs: Any, pixels: int) -> tuple[Any, Any]:
    """The preparations of views of pictures as small grey ones, where these are asked for."""
    from xmlib.data.pictures.preparation import Images

    small = Images(pixels) if pixels else None
    one, other = (small if side.kind == "images" else None for side in (pairs.view1, pairs.view2))
    return one, other


def _epoch(method: str, row: dict[str, Any]) -> str:
    return f"{method}: epoch {row['epoch']}, loss {row['loss']:.4g}, validation MRR {row['valid_mrr']:.3f}"


@options(PAIRS)
def evaluate(
    model: Model,
    reading: dict[str, str],
    split: Annotated[str, typer.Option(help="Score only pairs of this split: train, valid or test.")] = "",
    items: Annotated[int, typer.Option(min=0, help="Take this many pairs at random; 0 is all.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of that draw.")] = 0,
    with_hits: Annotated[
        bool, typer.Option("--hits", help="Also print hits, precision and distances within pairs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score a model on pairs.

    Every item of one view queries all items of the other. A file that several pairs share is one query, and any of its
    partners is right. Give pairs that training has not seen. JSON always has hits, precision and distances.
    """
    from xmlib.data.own.ready import groups_of, shared
    from xmlib.retriever import Retriever
    from xmlib.scoring import details

    loaded = Retriever.load(model)
    pairs = _some(pairs_of(reading, loaded), split, items, seed)
    found = loaded.evaluate(pairs.view1.items, pairs.view2.items, groups_of(pairs).tolist(), shared(pairs))
    hits = {way: details.hits(metrics, int(metrics.get("queries", len(pairs)))) for way, metrics in found.items()}
    if as_json:
        print(printing.as_json({"pairs": len(pairs), "metrics": found, "hits": hits}))
        return
    print(printing.table([_scores(way, metrics) for way, metrics in found.items()]))
    if with_hits:
        print("\n" + printing.table([_direction(way) | row for way, rows in hits.items() for row in rows]))
        print("\n" + printing.table([_distances(found["view1_to_view2"])]))


def _some(pairs: Any, split: str, items: int, seed: int) -> Any:
    """The pairs of a split, and of these so many."""
    import numpy as np

    rows = [i for i, own in enumerate(pairs.splits) if not split or own == split]
    if not rows:
        raise InputError(
            f"none of the {len(pairs)} pairs has the split {split!r}; leave --split out, or name a column."
        )
    if items > len(rows):
        raise InputError(f"{items} pairs were asked for of {len(rows)}; lower --items.")
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[: items or None])
    return pairs.take(chosen.tolist())


def _scores(direction: str, metrics: dict[str, Any]) -> dict[str, Any]:
    row = _direction(direction) | {said: metrics[name] for name, said in COLUMNS.items()}
    return row | {"95 % of MRR": "–".join(f"{end:.3f}" for end in metrics["mrr_interval"])}


def _direction(name: str) -> dict[str, str]:
    return {"direction": name.replace("_to_", " → ")}


def _distances(metrics: dict[str, Any]) -> dict[str, Any]:
    """Cosine distances of matching pairs, which are the same in both directions."""
    row = {"cosine distance of": "matching pairs"}
    return row | {name: metrics[f"{name}_distance"] for name in ("mean", "min", "median", "max")}


@options(PAIRS)
def refit(
    model: Model,
    reading: dict[str, str],
    items: Annotated[int, typer.Option(min=0, help="Take this many pairs at random; 0 is all.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of that draw.")] = 0,
) -> None:
    """Estimate the head of a model again, on more pairs.

    The encoders stay. Embeddings change, so the indexes are dropped; xm index makes them again.
    """
    from xmlib.retriever import Retriever, results_page

    loaded = Retriever.load(model)
    pairs = _some(pairs_of(reading, loaded), "", items, seed)
    dropped = list(loaded.indexes)
    n = loaded.refit(pairs.view1.items, pairs.view2.items)
    for direction in dropped:
        results_page.forget(loaded, direction)
    loaded.save(model)
    print(f"estimated on {n:,} pairs; indexes dropped: {', '.join(dropped) or 'none'}")
