"""The book's tables and figures say what the records say."""

import copy
import functools
import html
import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest import absent
from made_up import BACK, FORTH, N, query_groups, record, scores

from book.make import markdown
from book.make.results import image_text, neighborhoods, pages, pages_image_text, report, runs, tables, variants
from book.show import neighborhood_summaries, summaries, units
from xmlib import encoders, evaluate, paths, profiles
from xmlib.errors import InputError
from xmlib.runs import records
from xmlib.scoring import intervals


def save(folder: Path, *found: dict) -> Path:
    for item in found:
        path = folder / records.file_name(item)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(item))
    return folder


def cells(markdown: str) -> list[list[str]]:
    """The cells of a Markdown table, header first, without the row of dashes."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [split[0], *split[2:]]


def headline(*found: dict) -> str:
    """The home page's table of these records, without reported numbers."""
    return tables.filled("headline", tables.headline(runs.group(found), []))


def image_text_shown(name: str, methods: image_text.Methods) -> str:
    """A fragment on pictures and words."""
    return tables.filled(f"image_text_{name}", image_text.VALUES[name](methods))


def the_row(markdown: str, name: str) -> dict[str, str]:
    header, *rows = cells(markdown)
    return dict(zip(header, next(row for row in rows if name in row[0]), strict=True))


def test_the_table_of_metrics_shows_the_numbers_of_the_records():
    found = [record("ccal_tno", quality=1.4), record("ccal_cont", seed=2)]
    shown = tables.filled("metrics", tables.metrics(runs.group(found))).split("Audio → sheet")[1]
    for item in found:
        expected = item["metrics"][BACK]
        row = the_row(shown, runs.title(item["method"]))
        assert row["Seed"] == f"{item['seed']}, *not converged*"
        assert row["R@10"] == f"{expected['r10']:.1f}"
        assert row["Median rank"] == f"{expected['median_rank']:.1f}"
        low, high = expected["mrr_interval"]
        assert row["MRR"] == f"{expected['mrr']:.3f} [{low:.3f}, {high:.3f}]"
    linear = found[0]["baselines"]["linear_cca"]["metrics"][BACK]
    assert the_row(shown, "Linear CCA")["MRR"].startswith(f"{linear['mrr']:.3f} [")
    assert the_row(shown, "Chance")["MRR"] == f"{evaluate.chance_metrics(N)['mrr']:.3f}"


def test_every_row_of_a_table_has_as_many_cells_as_the_header():
    found = [
        record(m, p, s) for m in ("ccal_tno", "ccal_cont") for p, s in (("medium", 1), ("medium", 2), ("quick", 1))
    ]
    for name, text in report.fragments(found, records.reported()).items():
        for block in re.split(r"\n\s*\n", text):
            if block.startswith("|"):
                assert len({len(row) for row in cells(block)}) == 1, name


def test_the_longest_runs_are_full_before_medium_before_quick_and_toy_is_never_shown():
    found = [
        record("ccal_tno", "quick"), record("ccal_tno", "medium"), record("ccal_tno", "full"),
        record("ccal_cont", "quick"), record("ccal_cont", "medium"),
        record("learned_cont", "quick"), record("learned_cont", "toy"),
    ]  # fmt: skip
    chosen = {run.method: run.profile for run in runs.longest(runs.group(found))}
    assert chosen == {"ccal_tno": "full", "ccal_cont": "medium", "learned_cont": "quick"}
    assert runs.group([record("ccal_tno", "toy")]) == []


def test_only_runs_on_the_same_pairs_are_compared():
    other = record("learned_cont")
    other["data"]["digest"] = "e2" * 32
    groups = runs.rivals(runs.group([record("ccal_tno"), record("ccal_cont"), other]))
    assert sorted(sorted(run.method for run in group) for group in groups) == [
        ["ccal_cont", "ccal_tno"],
        ["learned_cont"],
    ]


def test_a_run_ended_by_its_epochs_is_labelled_not_converged_and_a_finished_one_is_not():
    shown = headline(record("ccal_tno", "medium"), record("ccal_cont", "quick"))
    assert runs.NOT_CONVERGED in the_row(shown, runs.title("ccal_cont"))["Profile"]
    assert the_row(shown, runs.title("ccal_tno"))["Profile"] == "medium"


def test_a_run_that_went_to_the_end_of_its_plan_is_labelled_with_its_length():
    planned = record("ccal_cont", "quick") | {"stopped": "schedule"}
    shown = the_row(headline(planned), runs.title("ccal_cont"))["Profile"]
    assert shown == f"quick, *{len(planned['history'])} epochs*"
    both = runs.group([planned, record("ccal_cont", "quick", seed=2)])
    assert both[0].ending == runs.NOT_CONVERGED


def test_one_seed_that_did_not_converge_labels_all_seeds():
    shown = headline(record(seed=1, converged=True), record(seed=2, converged=False))
    assert runs.NOT_CONVERGED in the_row(shown, runs.title("ccal_cont"))["Profile"]


def test_several_seeds_give_their_mean_their_range_and_an_interval_around_the_mean():
    found = [record(profile="medium", seed=seed) for seed in (1, 2, 3)]
    (run,) = runs.group(reversed(found))
    values = [item["metrics"][FORTH]["mrr"] for item in found]
    row = the_row(headline(*found), run.title)
    low, high = run.interval(FORTH)
    assert row[f"MRR {evaluate.DIRECTIONS[FORTH]}"] == f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"
    assert low < np.mean(values) < high
    assert row["Seeds"] == f"3 ({min(values):.3f}–{max(values):.3f})"


def test_the_interval_of_one_seed_is_that_of_its_record():
    item = record(seed=4)
    assert runs.Runs((item,)).interval(FORTH) == pytest.approx(tuple(item["metrics"][FORTH]["mrr_interval"]), abs=1e-12)


def test_the_recorded_ranks_give_the_recorded_mrr_at_ties_too():
    item = record(**scores(1.0, 5, tie=True))
    run = runs.Runs((item,))
    assert np.mean(summaries.reciprocal_ranks(run, FORTH)) == pytest.approx(item["metrics"][FORTH]["mrr"], abs=1e-12)


def test_paired_differences_are_the_differences_of_the_recorded_mrr():
    one, other = record("ccal_tno", quality=1.5), record("ccal_cont")
    found = {(d.one, d.other): d for d in runs.differences(runs.group([one, other]), FORTH)}
    difference = found[runs.title("ccal_tno"), runs.title("ccal_cont")]
    assert difference.value == pytest.approx(one["metrics"][FORTH]["mrr"] - other["metrics"][FORTH]["mrr"])
    assert difference.interval[0] < difference.value < difference.interval[1]
    assert len(found) == 3  # each method against linear CCA as well


def test_a_method_compared_with_itself_differs_by_exactly_nothing():
    twin = record("learned_cont") | scores(1.0, 1)
    (difference, *_) = runs.differences(runs.group([record("ccal_cont"), twin]), FORTH)
    assert (difference.value, difference.interval) == (0, (0, 0))


def test_the_method_named_on_the_home_page_is_chosen_by_validation_and_not_by_test():
    better_on_test = record("ccal_cont", quality=3.0) | {"valid_mrr": 0.1}
    chosen = record("ccal_tno", quality=1.0) | {"valid_mrr": 0.2}
    text = tables.filled("reading", tables.reading(runs.group([better_on_test, chosen])))
    assert f"**{runs.title('ccal_tno')}** has the highest validation MRR" in text
    assert f"{chosen['metrics'][FORTH]['mrr']:.3f}" in text


def test_the_same_records_give_the_same_bytes_and_unchanged_files_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(pages_image_text, "load", functools.cache(pages_image_text.load))  # whose bytes tests/data hold
    monkeypatch.setattr(pages_image_text, "SPLITS", ("grouped",))  # the others make longer tables
    ratios = report.speed.pictures
    monkeypatch.setattr(report.speed, "pictures", lambda found, draw: ratios(found[:2], draw))  # all are drawn alike
    folder = save(tmp_path / "records", record("ccal_tno"), record("ccal_cont"))
    first = report.make(folder, tmp_path / "out")
    written = {path: path.read_bytes() for path in first}
    for path in first:
        os.utime(path, (1, 1))
    assert report.make(folder, tmp_path / "out") == []
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == written
    assert {path.stat().st_mtime for path in first} == {1}


@pytest.fixture
def records_alone(monkeypatch):
    """The report makes what it takes from records, and nothing of what does not depend on them."""
    monkeypatch.setattr(report, "of_other_sources", dict)


@pytest.mark.usefixtures("records_alone")
def test_a_new_record_changes_files_and_what_no_record_asks_for_is_removed(tmp_path):
    folder = save(tmp_path / "records", record(profile="medium"))
    report.make(folder, tmp_path / "out")
    assert (tmp_path / "out" / "curves-medium.svg").exists()
    (folder / "medium" / "audio_score-ccal_cont-seed1.json").unlink()
    changed = {path.name for path in report.make(save(folder, record()), tmp_path / "out")}
    assert {"headline.md", "curves-quick.svg", "curves-medium.svg"} <= changed
    assert not (tmp_path / "out" / "curves-medium.svg").exists()


@pytest.mark.usefixtures("records_alone")
def test_without_records_every_fragment_says_what_makes_them(tmp_path):
    report.make(tmp_path / "none", tmp_path / "out")
    for name in ("headline.md", "curves.md", "metrics.md", "paired.md", "provenance.md", "sizes.md"):
        assert "`make book`" in (tmp_path / "out" / name).read_text()
    assert "`make medium`" in (tmp_path / "out" / "curves.md").read_text()


def test_a_record_under_another_name_is_refused_with_the_right_one(tmp_path, capsys):
    folder = save(tmp_path / "records", record(seed=1))
    (folder / "quick" / "audio_score-ccal_cont-seed1.json").rename(folder / "quick" / "copy.json")
    with pytest.raises(InputError, match=r"quick/audio_score-ccal_cont-seed1\.json"):
        report.load_records(folder)
    assert report.main(["--records", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("text", ["a|b", "2*3_4", "`x`", "$5 {role}", "<b> & [c]", "two\nlines"])
def test_text_from_a_machine_is_shown_as_it_is(text):
    from markdown_it import MarkdownIt

    shown = re.sub(r"<[^>]+>", "", MarkdownIt("commonmark").render(markdown.escape(text)))
    assert html.unescape(shown).strip() == " ".join(text.split())


def test_durations_are_written_for_people():
    assert [units.duration(s) for s in (40, 89.6, 720, 5700, 3600)] == [
        "40 s",
        "90 s",
        "12 min",
        "1 h 35 min",
        "1 h 0 min",
    ]


def test_reported_numbers_have_a_source_and_approximate_ones_are_marked():
    entries = records.reported()
    assert all(entry["source"] and entry["cite"] for entry in entries)
    keys = re.findall(r"@\w+\{([^,]+),", (paths.ROOT / "book" / "references.bib").read_text())
    assert {entry["cite"] for entry in entries} <= set(keys)
    shown = tables.filled("reported", tables.reported(entries, "audio_score"))
    assert the_row(shown, runs.title("learned_cont"))["Reported"] == "MRR ≈ 0.478"


def test_the_readme_is_filled_between_its_marks_and_nowhere_else(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.MARKS[0]}\nold\n{report.MARKS[1]}\nafter\n")
    assert report.fill(readme, "| new |\n")
    assert readme.read_text() == f"before\n{report.MARKS[0]}\n\n| new |\n\n{report.MARKS[1]}\nafter\n"
    assert not report.fill(readme, "| new |\n")
    readme.write_text("no marks")
    with pytest.raises(InputError, match="put both"):
        report.fill(readme, "text")


def test_the_readme_table_sets_the_reported_number_beside_ours():
    entries = records.reported()
    found = runs.group([record("ccal_cont", "medium"), record("ccal_tno", "medium")])
    shown = tables.filled("readme", tables.readme(found, entries))
    assert the_row(shown, runs.title("ccal_cont"))["Reported ¹"] == "0.810"
    assert the_row(shown, runs.title("ccal_tno"))["Reported ¹"] == "≈ 0.724"
    assert the_row(shown, runs.title("ccal_tno"))["Time a run"] == "1 h 35 min"
    assert "](" not in shown
    assert "{" not in shown  # plain Markdown: no MyST in the README


def test_the_readme_names_every_machine_that_seeds_of_a_row_ran_on():
    seeds = [record("ccal_cont", "medium", seed) for seed in (1, 2, 3)]
    seeds[2]["machine"] = seeds[2]["machine"] | {"processor": "C"}
    shown = tables.filled("readme", tables.readme(runs.group(seeds), records.reported()))
    row = the_row(shown, runs.title("ccal_cont"))
    assert row["Machine"].replace("\\", "") == "A|B_processor* @ 2 GHz, 1 of 2 CPU cores; C, 1 of 2 CPU cores"


def test_a_method_page_has_the_method_as_its_title_and_labels_of_its_own(tmp_path):
    figure = {"metadata": {"mystnb": {"figure": {"name": "fig-curve", "caption": "MRR"}}}, "source": "plot()"}
    cells = [{"metadata": {}, "source": ["# Shared title\n", "text"]}, figure]
    executed = tmp_path / "quick" / "audio_score-ccal_cont-seed1.ipynb"
    executed.parent.mkdir()
    executed.write_text(json.dumps({"cells": cells, "metadata": {}}))
    shown = {name: json.loads(text)["cells"] for name, text in pages.methods(tmp_path).items()}
    first, second = shown["audio_score-ccal_cont.ipynb"]
    assert first["source"] == f"# {runs.title('ccal_cont')}\ntext"
    assert second["metadata"]["mystnb"]["figure"]["name"] == "fig-curve-audio_score-ccal_cont"
    assert "`make book`" in shown["audio_score-ccal_tno.ipynb"][0]["source"]
    nbformat.validate(json.loads(pages.methods(tmp_path)["audio_score-ccal_tno.ipynb"]))


def rendered_tables(page: Path) -> list[list[str]]:
    """The rows of the tables of a built page, as lists of texts."""
    rows = re.findall(r"<tr\b.*?</tr>", page.read_text(encoding="utf-8"), re.DOTALL)
    texts = [re.findall(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in rows]
    return [[html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in texts]


@pytest.mark.parametrize("direction", evaluate.DIRECTIONS)
def test_the_numbers_of_the_built_book_equal_the_records(direction, committed):
    page = paths.ROOT / "_build" / "html" / "comparison.html"
    paper = [item for item in committed if item["dataset"] == "audio_score"]
    found = [item for run in runs.group(paper) for item in run]
    if not page.exists() or not found:
        absent("the book or its records have not been built (make book)")
    rows = {tuple(row) for row in rendered_tables(page)}
    for item in found:
        metrics = item["metrics"][direction]
        low, high = metrics["mrr_interval"]
        shares = [f"{metrics[key]:.1f}" for key in ("r1", "r5", "r10", "r25", "median_rank", "mean_rank")]
        seed = ", ".join([str(item["seed"]), *filter(None, [records.ending(item)])])
        mrr = f"{metrics['mrr']:.3f} [{low:.3f}, {high:.3f}]"
        assert any(row[:9] == (runs.title(item["method"]), seed, mrr, *shares) for row in rows), (item["method"], mrr)


@pytest.mark.parametrize("dataset", image_text.DATASETS)
def test_the_numbers_of_the_page_on_pictures_and_words_are_means_of_the_records(dataset, committed):
    page = paths.ROOT / "_build" / "html" / "image_text.html"
    methods = image_text.by_method(committed, dataset)
    if not page.exists() or not methods:
        absent("the book or its records have not been built (make book, make openclipart)")
    rows = {tuple(row) for row in rendered_tables(page)}
    for method, found in methods.items():
        for direction in evaluate.DIRECTIONS:
            means = {k: np.mean([item["metrics"][direction][k] for item in found]) for k in ("r1", "r10", "r25", "mrr")}
            recalls = tuple(f"{means[k]:.1f}" for k in ("r1", "r10", "r25"))
            shown = (runs.title(method), str(len(found)), f"{means['mrr']:.3f}", *recalls)
            assert shown in {(*row[:2], row[2].split(" [")[0], *row[-4:-1]) for row in rows if len(row) > 7}


def test_the_readme_links_to_nothing_that_is_not_there():
    text = report.README.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (paths.ROOT / link).exists()] == []


def test_the_readme_shows_the_committed_records_as_they_are(tmp_path, monkeypatch, committed):
    monkeypatch.setattr(report, "load_records", lambda folder: committed)
    for name in ("README", "README_FIGURE"):
        source = getattr(report, name)
        copy = tmp_path / source.name
        copy.write_bytes(source.read_bytes())
        monkeypatch.setattr(report, name, copy)
    assert report.make_readme(paths.RECORDS) == []


def neighborhood_record(configuration: str, seed: int, quality: float) -> dict:
    share = {"label": 0.3 + seed / 100, "text": 0.2, "label_chance": 0.05, "text_chance": 0.02}
    share |= {f"{name}_interval": [0.1, 0.4] for name in ("label", "text")}
    kinds = ("image", "image_before", "text", "text_before")
    pool = {"ways": 5, "accuracy": 60.0, "accuracy_chance": 20.0}
    search = {"index": "exact", "items": 100, "k": 99, "left_out": 1, "hnsw_recall10": 0.97, "hnsw_recall_k": 0.95}
    item = record("neighborhoods", "full", seed, quality, dataset="emoji", notebook="neighborhoods")
    for scores_of_way in item["metrics"].values():
        scores_of_way["map"] = 0.3
    more = {"coherence": {kind: dict(share) for kind in kinds}, "pools": dict.fromkeys(evaluate.DIRECTIONS, pool)}
    return item | more | {"variant": configuration, "neighbors": search | {"hnsw_recall10": 0.96 + seed / 100}}


@pytest.fixture
def ablated() -> list[dict]:
    qualities = {"": 1.5, "none": 0.5, "img": 0.5, "all_released": 0.9, "none_released": 0.9}
    return [neighborhood_record(name, seed, q) for name, q in qualities.items() for seed in (1, 2, 3)]


def test_the_ablation_shows_the_means_of_the_records_with_their_intervals(ablated):
    shown = neighborhoods.fragments(ablated)["neighborhoods_emoji_ablation.md"]
    found = [r for r in ablated if r["variant"] == ""]
    row = the_row(shown, "all terms")
    mean = np.mean([r["metrics"][FORTH]["mrr"] for r in found])
    low, high = summaries.interval(found, FORTH)
    assert row["MRR, image → text"] == f"{mean:.3f} [{low:.3f}, {high:.3f}]"
    assert row["Seeds"] == "3"
    assert the_row(shown, "Linear CCA")["R@10, text → image"] == (
        f"{found[0]['baselines']['linear_cca']['metrics'][BACK]['r10']:.1f}"
    )


def test_the_effects_are_paired_with_the_same_form_of_the_loss_and_counted_in_words(ablated):
    shown = neighborhoods.fragments(ablated)["neighborhoods_emoji_effects.md"]
    header, *rows = cells(shown)
    assert [row[:2] for row in rows] == [["+ img", "intended"], ["all terms", "intended"], ["all terms", "released"]]
    same = dict(zip(header, rows[0], strict=True))  # as good as none of the terms, query by query
    assert same["MRR, image → text"] == "+0.000 [+0.000, +0.000]"
    better = dict(zip(header, rows[1], strict=True))
    assert better["MRR, image → text"].startswith("+0.")
    assert "Of these 6 differences in MRR, 2 have an interval above 0 and none has one below" in shown
    assert "With Holm's correction for all of them, 2 remain" in shown
    assert "seeds alone and too narrow for other items" in shown


def test_what_a_term_does_to_neighbours_is_compared_item_by_item_where_the_records_keep_shares(ablated):
    rng = np.random.default_rng(0)
    for item in ablated:
        for kind in ("image", "text"):
            item["coherence"][kind]["label_shares"] = rng.integers(0, 11, N) / 10
    shown = neighborhoods.fragments(ablated)["neighborhoods_emoji_effects.md"]
    shares = [
        [r["coherence"]["image"]["label_shares"] for r in ablated if r["variant"] == name] for name in ("", "none")
    ]
    mean = intervals.paired_mean(*shares, query_groups())
    expected = units.with_interval(mean.value, mean.interval(), signed=True)
    assert expected in [row[4] for row in cells(shown) if row[:2] == ["all terms", "intended"]]
    assert "All intervals are over groups of test items and over seeds" in shown


def test_the_terms_for_neighbours_are_asked_for_together_once(ablated):
    sym = [neighborhood_record("sym", seed, 0.7) for seed in (1, 2, 3)]
    named = neighborhoods.by_configuration([*ablated, *sym], "emoji")
    each = [
        neighborhood_summaries.difference(named[one], named[other], way)[0]
        for one, other in (("img", "none"), ("all", "sym"))
        for way in evaluate.DIRECTIONS
    ]
    assert neighborhood_summaries.pooled(named).value == pytest.approx(np.mean(each))
    without = {name: named[name] for name in ("all", "none")}
    assert neighborhood_summaries.pooled(without) is None


def test_methods_are_compared_on_the_seeds_that_both_have():
    three = [record("ccal_tno", "medium", seed, 1.5) for seed in (1, 2, 3)]
    two = [record("ccal_cont", "medium", seed) for seed in (2, 3)]
    (found, *_) = runs.differences(runs.group([*three, *two]), FORTH)
    means = [np.mean([r["metrics"][FORTH]["mrr"] for r in group]) for group in (three[1:], two)]
    assert found.value == pytest.approx(means[0] - means[1])


def test_the_other_text_encoder_has_tables_of_its_own_and_rows_beside_the_released_one(ablated):
    weighed = [neighborhood_record(f"tfidf{name}", s, 1.2) for name in ("", "-none", "-sym") for s in (1, 2, 3)]
    shown = neighborhoods.fragments(ablated + weighed)
    alone = neighborhoods.fragments(ablated)
    assert {row[0] for row in cells(shown["neighborhoods_emoji_tfidf.md"])} >= {"all terms", "+ sym", "Linear CCA"}
    assert "tf-idf" in alone["neighborhoods_emoji_tfidf.md"]
    best, released = ([r for r in found if r["variant"] == name] for found, name in ((weighed, "tfidf"), (ablated, "")))
    gain = markdown.gain(neighborhood_summaries.difference(best, released, FORTH))
    assert f"image → text {gain};" in shown["neighborhoods_emoji_tfidf.md"]
    for name in ("ablation", "effects", "coherence"):
        assert shown[f"neighborhoods_emoji_{name}.md"] == alone[f"neighborhoods_emoji_{name}.md"]
    row = the_row(shown["neighborhoods_emoji_others.md"], "all terms, tf-idf texts")
    mean = np.mean([r["metrics"][FORTH]["mrr"] for r in weighed if r["variant"] == "tfidf"])
    assert row["MRR, image → text"] == f"{mean:.3f}"


def test_the_page_on_neighbourhoods_includes_every_fragment_that_is_made_for_it(ablated):
    page = (paths.ROOT / "book" / "neighborhoods_results.md").read_text(encoding="utf-8")
    assert set(re.findall(r"_generated/(neighborhoods_\w+\.md)", page)) == set(neighborhoods.fragments(ablated))


def test_without_an_ablation_the_page_says_how_to_make_one():
    shown = neighborhoods.fragments([])
    assert all("make ablation" in text for text in shown.values())


def test_the_weakest_recall_of_all_seeds_is_the_one_that_is_told(ablated):
    assert "97.0 % of the 10 nearest and" in neighborhoods.fragments(ablated)["neighborhoods_emoji_search.md"]


def test_each_refinement_shows_the_best_of_all_epochs_so_far_and_the_mean_over_seeds():
    first, second = (record("ccal_tno", dataset="openclipart", seed=seed) for seed in (1, 2))
    short = record("linear_nce", dataset="openclipart", variant="mirrored")
    for run, curves in (
        (first, [[0.1, 0.3, 0.2], [0.25], [0.5]]),
        (second, [[0.2], [0.4, 0.3], [0.1, 0.1]]),
        (short, [[0.6], [0.7]]),
    ):
        run["settings"]["refinements"] = len(curves) - 1
        run["history"] = [{"phase": i, "valid_mrr": mrr} for i, phase in enumerate(curves) for mrr in phase]
    shown = image_text_shown("refinements", image_text.by_method([first, second, short], "openclipart"))
    row = the_row(shown, runs.title("ccal_tno"))
    assert [row[name] for name in ("first phase", "refinement 1", "refinement 2")] == ["0.2500", "0.3500", "0.4500"]
    assert row["Epochs in all"] == "5"
    assert list(the_row(shown, runs.title("linear_nce")).values())[2:] == ["0.6000", "0.7000", "", "2"]


def with_linear(mrr: float, train: int, **changes) -> dict:
    """A record on icons whose linear CCA has that MRR with so many training pairs."""
    item = record("ccal_tno", dataset="icons", profile="full", **changes)
    item["data"] |= {"train": train}
    item["baselines"]["linear_cca"] |= {"ridge": 0.3, "directions": 64, "valid_mrr": 0.5, "train": train}
    for way in evaluate.DIRECTIONS:
        item["baselines"]["linear_cca"]["metrics"][way] |= {"mrr": mrr}
    return item


def test_linear_cca_is_listed_by_its_number_of_training_pairs_and_other_pairs_are_not():
    found = [
        with_linear(0.4, 9000),
        with_linear(0.1, 500, variant="pairs_500"),
        with_linear(0.9, 8000, variant="tabler"),
    ]
    rows = cells(tables.filled("image_text_linear", image_text.linear(found, "icons")))[1:]
    assert [row[:2] for row in rows[:2]] == [["500", "0.100"], ["9,000", "0.400"]]
    assert rows[0][-1] == "9, 0.3, 64"
    assert rows[2][0] == "chance"
    assert "make icons" in image_text.fragments([])["icons_linear.md"]


def test_variants_with_fewer_pairs_come_in_the_order_of_their_numbers():
    found = [with_linear(0.1, 9, variant=f"pairs_{number}") for number in (1000, 500)]
    assert list(image_text.variants(found, "icons")["variants"]) == ["pairs_500", "pairs_1000"]


def with_twins(item: dict, mrr: float) -> dict:
    """The record with what near twins change: every other query has a twin that stands first."""
    better, tied, right = [i % 2 for i in range(N)], [1] * N, [1] * N
    of_any = {"mrr": mrr, "mrr_interval": [mrr - 0.1, mrr + 0.1]}
    kept = {
        "metrics": dict.fromkeys(evaluate.DIRECTIONS, of_any),
        "standing": dict.fromkeys(evaluate.DIRECTIONS, [better, tied, right]),
        "in_group": N, "same_text": 7, "ceiling": evaluate.metrics_of(np.zeros(N, int), 1 + np.arange(N) % 2),
    }  # fmt: skip
    sides = {name: side | {"twins": kept} for name, side in item["baselines"].items()}
    return item | {"twins": kept, "baselines": sides}


def test_the_tables_of_pictures_and_words_count_near_twins_both_ways_and_state_the_ceiling():
    found = [with_twins(record("ccal_tno", dataset="emoji", seed=seed), 0.75) for seed in (1, 2)]
    methods = image_text.by_method(found, "emoji")
    shown = image_text_shown("results", methods).split("Text → image")[0]
    assert the_row(shown, runs.title("ccal_tno"))[summaries.ANY].startswith("0.750 [")
    assert the_row(shown, "Linear CCA")[summaries.ANY] == "0.750 [0.650, 0.850]"
    assert the_row(shown, "No function of the words exceeds")["MRR"] == "0.875"
    text = image_text_shown("twins", methods)
    assert f"{N} of the {N} test items have a near twin" in text
    assert "7 have exactly the words of another one" in text
    assert "an MRR above 0.875, or an R@1 above 75.0 %" in text
    assert "0.750" in set(summaries.scores(found)[summaries.ANY])


def test_records_that_count_near_twins_as_wrong_alone_say_so():
    methods = image_text.by_method([record("ccal_tno", dataset="emoji")], "emoji")
    assert summaries.ANY not in image_text_shown("results", methods)
    assert "their records keep no other count" in image_text_shown("twins", methods)
    assert summaries.ANY not in summaries.scores(methods["ccal_tno"])


def test_a_method_with_more_pictures_is_shown_with_its_own_pairs_and_beside_the_best_linear_cca():
    usual = record("ccal_tno", dataset="emoji", quality=1.0)
    mirrored = record("linear_nce", dataset="emoji", quality=1.6, variant="mirrored")
    usual["baselines"]["linear_cca"]["valid_mrr"] = 0.2
    mirrored["baselines"]["linear_cca"] |= {"valid_mrr": 0.3, **scores(1.1, 7)}
    plain = record("linear_nce", dataset="emoji", quality=0.1)
    found = summaries.one_linear_cca([usual, mirrored, plain])
    methods = image_text.by_method(found, "emoji")
    assert {name: [r["metrics"] for r in records] for name, records in methods.items()} == {
        "ccal_tno": [usual["metrics"]],
        "linear_nce": [mirrored["metrics"]],
    }
    shown = image_text_shown("results", methods)
    assert "is trained on every picture and on its mirror image" in shown
    best = mirrored["baselines"]["linear_cca"]["metrics"][FORTH]["mrr"]
    assert the_row(shown.split("Text → image")[0], "Linear CCA")["MRR"].startswith(f"{best:.3f}")


@pytest.mark.parametrize(
    ("fitted_on", "said"), [(240, "every picture and its mirror image"), (120, "without mirror images")]
)
def test_the_tables_say_whether_linear_cca_has_seen_the_mirror_images(fitted_on, said):
    item = record("linear_nce", dataset="emoji", variant="mirrored")
    item["parameters"]["mirrored"], item["data"]["train"] = True, 240
    chosen = {"valid_mrr": 0.3, "components": 9, "ridge": 1.0, "directions": 9, "train": fitted_on}
    item["baselines"]["linear_cca"] |= chosen
    methods = image_text.by_method(summaries.one_linear_cca([item]), "emoji")
    assert f"on {fitted_on} training pairs, {said}." in image_text_shown("results", methods)


def test_a_run_that_differs_from_its_profile_is_no_further_seed_of_it():
    assert [len(same) for same in runs.group([record("ccal_tno"), record("ccal_tno", variant="plain")])] == [1]


def test_every_table_on_the_same_test_pairs_has_the_same_linear_cca(ablated):
    other = record("ccal_tno", dataset="emoji", corrections={}, settings={"refinements": 0})
    other["baselines"]["linear_cca"] |= {"valid_mrr": 0.3, **scores(1.1, 7)}
    for way in evaluate.DIRECTIONS:
        other["baselines"]["linear_cca"]["metrics"][way]["map"] = 0.2
        other["metrics"][way]["map"] = 0.2
    expected = f"{other['baselines']['linear_cca']['metrics'][FORTH]['mrr']:.3f}"
    shown = image_text.fragments([*ablated, other]) | neighborhoods.fragments([*ablated, other])
    cells_of = {
        name: list(the_row(shown[name], "Linear CCA").values())
        for name in ("emoji_results.md", "neighborhoods_emoji_ablation.md", "neighborhoods_emoji_others.md")
    }
    assert all(any(cell.startswith(expected) for cell in row) for row in cells_of.values()), cells_of


def test_the_order_by_map_is_told_where_it_is_another_than_by_mrr():
    one, other = (record(name, dataset="emoji", quality=q) for name, q in (("ccal_tno", 1.5), ("ccal_cont", 1.0)))
    for item, precision in ((one, 0.1), (other, 0.3)):
        for metrics in item["metrics"].values():
            metrics["map"] = precision
    told = image_text_shown("results", image_text.by_method([one, other], "emoji"))
    names = runs.title("ccal_tno"), runs.title("ccal_cont")
    assert f"the one right answer: {names[0]}; {names[1]}." in told
    assert f"of the same class: {names[1]}; {names[0]}." in told


def test_a_correction_for_hubs_shows_its_gain_with_the_paired_interval_over_seeds():
    found = [record("ccal_tno", dataset="emoji", seed=seed) for seed in (1, 2)]
    for item in found:
        better = np.random.default_rng(item["seed"]).integers(0, 3, N)
        kept = evaluate.kept_standing(better, np.ones(N, int)) | {"mrr_gain": 0.0, "hubness": 1.0}
        kept |= evaluate.metrics_of(better, np.ones(N, int))
        item["corrections"] = {"csls": dict.fromkeys(evaluate.DIRECTIONS, kept)}
    own, plain = (
        np.array([evaluate.reciprocal_ranks(*evaluate.standing_of(r["ranks"], r["ties"])) for r in kept])
        for kept in (
            [item["corrections"]["csls"][BACK] for item in found],
            [{name: item[name][BACK] for name in ("ranks", "ties")} for item in found],
        )
    )
    mean = intervals.paired_mean(own, plain, query_groups())
    shown = image_text_shown("corrections", image_text.by_method(found, "emoji"))
    assert cells(shown)[2][4] == units.with_interval(mean.value, mean.interval(), signed=True)


def test_the_filters_of_the_table_are_those_of_the_networks():
    filters = {row[0]: row[2] for row in cells(tables.filled("profiles", tables.profiles()))[1:]}
    for name in runs.PROFILES:
        settings = profiles.settings(name)
        layers = [m for m in encoders.ConvEncoder(settings.d, settings.width).modules() if hasattr(m, "out_channels")]
        assert filters[name] == "/".join(str(layer.out_channels) for layer in layers[1:-1:2])


def test_the_book_counts_the_records_that_other_code_has_made():
    today = record("ccal_tno", code=records.code_of("ccal_tno"))
    shown = tables.filled("current", tables.current([today]))
    assert shown == "All 1 records of this book were made by the code that is here.\n"
    shown = tables.filled("current", tables.current([today, record("ccal_cont")]))
    assert shown.startswith("Of the 2 records of this book, 1 were made by code")


def test_the_two_forms_of_the_loss_and_the_text_sides_are_compared_in_short(ablated):
    weighed = [neighborhood_record(f"tfidf{name}", s, 1.2) for name in ("", "-none") for s in (1, 2, 3)]
    rival = [record("learned_nce", dataset="emoji", seed=seed, quality=0.9) for seed in (1, 2, 3)]
    linear = [record("linear_nce", dataset="emoji", seed=seed, variant="mirrored") for seed in (1, 2, 3)]
    named = neighborhoods.by_configuration(summaries.one_linear_cca(ablated), "emoji")
    best = [r for r in weighed if r["variant"] == "tfidf"]
    found = summaries.one_linear_cca([*ablated, *weighed, *rival, *linear])
    shown = neighborhoods.filled("short", neighborhoods.short(neighborhoods.Study.of(found, "emoji")))
    forms = neighborhood_summaries.contrast(named, [("none", "none_released"), ("all", "all_released")])
    assert units.with_interval(forms.value, forms.interval(), signed=True) in shown
    gain = np.mean([neighborhood_summaries.difference(best, rival, way)[0] for way in evaluate.DIRECTIONS])
    assert f"{runs.title('learned_nce')}* | {units.number(gain, signed=True)} [" in shown
    assert "*Linear CCA* | " in shown
    assert runs.title("linear_nce") not in shown


def test_our_validation_mrr_stands_beside_the_reported_one_on_the_home_page_and_in_the_readme():
    found = runs.group([record("ccal_cont", "medium", seed, valid_mrr=0.5 + seed / 100) for seed in (1, 2)])
    for name, values in (("headline", tables.headline), ("readme", tables.readme)):
        shown = tables.filled(name, values(found, records.reported()))
        row = the_row(shown, runs.title("ccal_cont"))
        assert (row["Validation MRR ¹"], row["Reported ¹"]) == ("0.515", "0.810")
        assert the_row(shown, "Chance")["Validation MRR ¹"] == f"{evaluate.chance_metrics(50)['mrr']:.3f}"


def test_what_the_runs_leave_open_is_said_below_the_table_and_only_while_it_is_so():
    one = record("ccal_cont", "medium")
    told = tables.filled("limits", tables.limits(runs.group([one])))
    assert "neither confirmed nor refuted" in told
    assert "one seed a method" in told
    assert "refinements of the released schedule" in told
    assert "In 1 of 1 runs the best epoch is among the last" in told
    assert "The runs of the profile medium were made with other settings or pairs than it has today" in told
    today = {"parameters": {"dataset_file": "pairs.npz"}, "settings": asdict(profiles.settings("medium"))}
    settled = [record("ccal_cont", "medium", seed, best_epoch=2, **today) for seed in (1, 2)]
    for item in settled:
        item["history"] = [row | {"phase": 3} for row in item["history"]]
    assert tables.filled("limits", tables.limits(runs.group(settled))) == ""
    planned = [item | {"stopped": "schedule", "best_epoch": 9} for item in settled]
    told = tables.filled("limits", tables.limits(runs.group(planned)))
    assert told.startswith("All runs were trained to the end of a plan in which the learning rate falls to 0")
    assert told.count(".") == 1


def test_a_variant_stands_below_its_usual_run_with_what_differs():
    usual = record("ccal_cont", "medium")
    other = copy.deepcopy(usual) | {"variant": "plain", "settings": usual["settings"] | {"lr": 0.5}, "valid_mrr": 0.25}
    found = [other, usual, record("ccal_tno", "quick")]
    lines = cells(tables.filled("variants", variants.variants(found)))
    assert [row[1] for row in lines[1:]] == ["–", "plain"]
    assert "lr 0.5" in lines[2][2]
    assert "lr 0.5" not in lines[1][2]
    assert lines[2][6] == "0.250"
    assert tables.filled("variants", variants.variants([usual])) == "No variant has been run.\n"


def test_a_variant_on_another_corpus_says_so():
    usual = record("ccal_cont", "medium")
    other = copy.deepcopy(usual) | {"variant": "chorales", "parameters": {"corpus": "chorales"}}
    _, first, second = cells(tables.filled("variants", variants.variants([usual, other])))
    assert ("chorales" in first[2], "chorales" in second[2]) == (False, True)


def test_where_no_correction_has_an_interval_the_page_says_why():
    item = record("ccal_tno", dataset="emoji")
    told = "These records keep too little for intervals of the gains."
    kept = {"mrr_gain": 0.1, "hubness": 1.0, **dict.fromkeys(("r1", "r10", "mrr"), 1.0)}
    item["corrections"] = {"csls": dict.fromkeys(evaluate.DIRECTIONS, kept)}
    methods = image_text.by_method([item], "emoji")
    assert told in image_text_shown("corrections", methods)
