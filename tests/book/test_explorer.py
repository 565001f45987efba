"""The explorer: its files are made of runs, and its page does what it says, in a real browser, on toy pairs."""

import copy
import io
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import axe_playwright_python
import numpy as np
import pytest
import torch
from conftest import absent
from PIL import Image
from sklearn.datasets import load_digits
from test_site import AXE, DESK, FLAGS, LEVELS, PHONE, SITE

from book.make.explorer import collect, embedded, exhibits, kept, sounds, write
from xmlib import evaluate, fit, methods, paths, profiles
from xmlib.commands import app
from xmlib.data import cache, load
from xmlib.data.audio_score import folk_tunes, synthesize
from xmlib.retriever import Retriever
from xmlib.runs import embeddings, records
from xmlib.show import explorer

MEGABYTES = 15  # that the explorer may add to the site
FORTH, BACK = evaluate.DIRECTIONS


@pytest.fixture(scope="module")
def toy():
    return load("audio_score", "toy")


@pytest.fixture
def own_runs(tmp_path, monkeypatch):
    """A folder of runs and one of records of the test's own."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "RECORDS", tmp_path / "records")
    return tmp_path


def made_up_run(splits, method, noise, seed=0):
    """A record without training, and embeddings that give its ranks: the views differ by noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(len(splits.test), 8))
    x, y = (torch.nn.functional.normalize(torch.tensor(v).float()) for v in (x, x + noise * rng.normal(size=x.shape)))
    record = {
        "format": 1, "dataset": splits.name, "method": method, "profile": "toy", "seed": 1,
        "converged": noise < 1, "stopped": "patience" if noise < 1 else "epochs",
        "parameters": {"difficulty": "hard", "dataset_file": ""}, "history": [{"epoch": 1}],
        "settings": {"epochs": 1},
        "data": {
            "digest": splits.digest, "train": len(splits.train), "test": len(splits.test),
            "test_groups": splits.test.groups.tolist(),
        },
        **evaluate.both_ways(x, y, splits.test.groups),
    }  # fmt: skip
    return record, x, y


def trained_run(splits, checkpoint):
    """A toy run that leaves a checkpoint and has its head refitted at the end; its record as read back, model and x."""
    settings = profiles.settings("toy", epochs=2, refit_n=60)
    model = methods.build("ccal_cont", settings, 1)
    training = fit.fit(model, splits, "ccal_cont", settings, 1, checkpoint=checkpoint)
    x, y = fit.embed(model, splits.test)
    test = evaluate.both_ways(x, y, splits.test.groups)
    parameters = {"method": "ccal_cont", "profile": "toy", "seed": 1, "difficulty": "hard"}
    record = records.make("audio_score", parameters, splits, settings, training, test, {})
    return json.loads(json.dumps(record)), model, x


# ---- embeddings and weights ------------------------------------------------------------------------------------


def test_embeddings_are_found_by_the_ranks_of_their_own_record_alone(toy, own_runs):
    record, x, y = made_up_run(toy, "ccal_cont", 0.5)
    other = made_up_run(toy, "ccal_cont", 0.5, seed=1)[0]
    embeddings.save(record, x, y)
    found = embedded.of_run(json.loads(json.dumps(record)), toy)
    assert torch.equal(found[0], x)
    assert torch.equal(found[1], y)
    assert embedded.of_run(other, toy) is None


def test_embeddings_that_do_not_give_the_ranks_of_the_record_are_left_out(toy, own_runs, capsys):
    record, x, y = made_up_run(toy, "ccal_cont", 0.5)
    embeddings.save(record, x, y.flip(0))
    assert embedded.of_run(record, toy) is None
    assert "ranks come out again" in capsys.readouterr().err


def test_a_checkpoint_gives_the_embeddings_of_the_run(toy, own_runs):
    folder = own_runs / "runs" / "audio_score-ccal_cont-seed1-0"
    record, _, x = trained_run(toy, folder / "checkpoint.pt")
    torch.testing.assert_close(embedded.of_run(record, toy)[0], x)


def test_a_run_that_is_not_here_has_no_embeddings(toy, own_runs):
    record = made_up_run(toy, "ccal_cont", 0.5)[0]
    assert embedded.of_run(record, toy) is None


# ---- what is shown ---------------------------------------------------------------------------------------------


def test_the_ten_best_are_those_of_all_candidates_sorted(toy):
    _, x, y = made_up_run(toy, "ccal_cont", 0.5)
    top = np.stack([explorer.best(x, y), explorer.best(y, x)])
    scores = (x.double() @ y.double().T).numpy()
    assert all(top[0, q].tolist() == sorted(range(60), key=lambda c: -scores[q, c])[:10] for q in range(60))  # noqa: B023
    assert all(top[1, q].tolist() == sorted(range(60), key=lambda c: -scores[c, q])[:10] for q in range(60))  # noqa: B023


def test_queries_come_by_families_and_only_where_the_rank_is_certain():
    groups, usable = np.repeat(np.arange(20), 8), np.arange(160) % 4 > 0
    queries = collect.drawn(groups, usable)
    assert len(queries) == collect.QUERIES == len(set(queries))
    assert usable[queries].all()
    assert max(np.bincount(groups[queries])) == collect.FAMILY
    assert collect.drawn(groups, usable) == queries


def test_what_is_heard_is_every_query_and_what_is_found_for_it():
    top = np.stack([(np.arange(160)[:, None] + np.arange(10)) % 160] * 2)[:, [3, 50]]
    assert collect.fitting([3, 50], [top]) == (
        [3, 50],
        [*range(3, 13), *range(50, 60)],
        [*range(3, 13), *range(50, 60)],
    )


def test_queries_end_before_there_are_too_many_sounds(monkeypatch):
    monkeypatch.setattr(collect, "SOUNDS", 45)
    top = np.arange(2 * 50 * 10).reshape(2, 50, 10)
    queries, heard, _ = collect.fitting(range(50), [top])
    assert len(heard) <= 45
    assert queries == [0, 1, 2, 3]


def test_queries_that_one_run_alone_has_right_are_counted():
    assert explorer.alone([[1, 1, 1.5, 4], [1, 2, 1, 1]]) == [[0, 1], [2, 0]]


def test_a_picture_lies_on_its_sheet_where_its_number_says():
    tiles = np.arange(130)[:, None, None] * np.ones((1, 4, 6))
    first, second = exhibits.sheets(tiles)
    assert first.shape == (40, 60)
    assert (first[8:12, 18:24] == 23).all()  # row 2, column 3
    assert (second[8:12, 54:60] == 129).all()


def test_snippet_and_spectrogram_on_the_sheets_are_those_of_the_pair(toy):
    shown = exhibits.audio_score(toy, [7, 3], heard=1)
    with Image.open(io.BytesIO(shown.files["view1-0.png"])) as sheet:
        snippet = np.asarray(sheet.convert("L"))[:80, :100] / 255
    halved = snippet.reshape(40, 2, 50, 2).mean((1, 3))
    assert np.abs(halved - toy.test.view1[7][0]).max() < 1 / 30  # of 16 shades
    with Image.open(io.BytesIO(shown.files["view2-0.png"])) as sheet:
        loud = np.asarray(sheet)[:92, :42][::-1]  # low bands first
    assert np.corrcoef(loud.ravel(), toy.test.view2[7][0].ravel())[0, 1] > 0.99
    assert shown.sounds == [0]
    assert shown.views[1].count == 1


def test_pictures_and_texts_are_shown_as_they_are():
    red, tall = np.full((50, 50, 3), (250, 0, 0), np.uint8), np.zeros((200, 100, 3), np.uint8)
    split = SimpleNamespace(pictures=[tall, red], texts=["night", "a red square"])
    shown = exhibits.picture_text(SimpleNamespace(name="emoji", test=split), [1, 0], 2)
    with Image.open(io.BytesIO(shown.files["view1-0.webp"])) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    assert np.abs(pixels[48, 48] - (250, 0, 0)).max() < 12
    assert np.abs(pixels[48, 96 + 48]).max() < 12
    assert pixels[48, 96 + 4].min() > 240  # white beside what is tall
    assert shown.views[1].words == shown.labels == ["a red square", "night"]


# ---- sounds ----------------------------------------------------------------------------------------------------


def test_the_sound_of_a_pair_gives_its_spectrogram(toy):
    row = int(np.argmax(toy.test.rows["onset"] > 3))
    tune, _ = sounds.of_pair(toy.test, row)
    seconds = 60 / tune["quarters_per_minute"] / folk_tunes.TICKS
    notes = sounds.notes_of(tune["id"], sounds.stored_tune(toy, tune["id"]))
    timed = [(n.onset * seconds, (n.onset + n.length) * seconds, n.pitch) for n in notes]
    sound = synthesize.render(synthesize.midi(timed, tune["instrument"]))
    excerpt = sounds.cut(sound, float(toy.test.rows["onset"][row]))
    frames = synthesize.analyse(np.concatenate([np.zeros(551), excerpt]))[1:42]  # their middles are half a frame in
    assert np.abs(frames[1:-2].T - toy.test.view2[row][0][:, 1:39]).max() < 0.05


def test_an_excerpt_holds_the_onset_in_its_middle_and_silence_before_the_tune():
    click = np.zeros(3 * synthesize.RATE)
    click[synthesize.RATE] = 1
    excerpt = sounds.cut(click, 1.0)
    assert len(excerpt) == round(2.1 * synthesize.RATE)
    assert abs(int(excerpt.argmax()) / synthesize.RATE - 21.5 / 20) < 0.001
    assert sounds.cut(np.ones(100), 0.0)[: synthesize.RATE].max() == 0


@pytest.mark.parametrize(
    ("pitch", "height", "name"), [(71, 0, "B4"), (60, -6, "C4"), (78, 4, "F♯5"), (70, 0, "B♭4"), (59, -6, "C♭4")]
)
def test_a_note_is_called_by_its_place_on_the_staff(pitch, height, name):
    assert sounds.note_name(pitch, height) == name


def test_the_note_of_a_pair_is_named_among_its_neighbours():
    notes = [folk_tunes.Note(0, 1, 71 + 12 * i, 7 * i, 0, 0) for i in range(4)]
    assert sounds.around(notes, 1, reach=2) == "B4 [B5] B6 B7"


def test_capital_titles_are_written_small():
    assert sounds.title({"title": "JACK ON THE GREEN -- JIG"}) == "Jack On The Green – Jig"
    assert sounds.title({"title": "The Rakes of Mallow."}) == "The Rakes of Mallow"


# ---- the files -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(toy):
    """Two made-up runs, as records with the embeddings of both views; not to be changed."""
    return [made_up_run(toy, method, noise) for method, noise in (("ccal_tno", 0.6), ("ccal_cont", 2.0))]


@pytest.fixture
def two_runs(found, own_runs):
    """Their records, and their embeddings in a folder of the test's own."""
    for run in found:
        embeddings.save(*run)
    return [copy.deepcopy(run[0]) for run in found]


@pytest.fixture(scope="module")
def made(tmp_path_factory, found):
    """The folder of the explorer made of the two runs, where its page looks for it; not to be changed."""
    folder = tmp_path_factory.mktemp("page")
    out = folder / "_static" / "explorer" / "built"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RUNS", folder / "runs")
        patch.setattr(paths, "RECORDS", folder / "records")
        for run in found:
            embeddings.save(*run)
        write.make(out, [run[0] for run in found])
    return out


def read_data(out):
    return json.loads((out / "data.js").read_text().removeprefix("window.xmlibExplorer = ").removesuffix(";\n"))


def test_ranks_and_lists_in_the_file_are_those_of_the_records(found, made, toy):
    shown = read_data(made)["sets"][0]
    label = [f"note {toy.test.rows['note'][row] + 1} of" for row in range(60)]
    for (record, _, _), run in zip(found, shown["runs"], strict=True):
        for way, direction in zip(run["ways"], (FORTH, BACK), strict=True):
            assert set(way["ranks"]) <= set(record["ranks"][direction])
            for query, (rank, top) in enumerate(zip(way["ranks"], way["top"], strict=True)):
                assert (query in top) == (rank <= 10)
                assert query not in top or top.index(query) == rank - 1
    assert all(text.startswith("note ") for text in shown["labels"])
    assert {text.rpartition(" “")[0] for text in shown["labels"]} <= set(label)


def labels_of(splits):
    """What the explorer calls each test pair."""
    titles = [sounds.title(sounds.of_pair(splits.test, row)[0]) for row in range(len(splits.test))]
    return [f"note {note + 1} of “{name}”" for note, name in zip(splits.test.rows["note"], titles, strict=True)]


def differences(shown, found, splits):
    """What a set of data.js says that the library does not: `found` are records with the embeddings of both views.

    The library's numbers are those of `evaluate` and of a plain sort of all cosines.
    """
    labels = labels_of(splits)
    rows = [labels.index(text) for text in shown["labels"]]
    for (_, x, y), run in zip(found, shown["runs"], strict=True):
        expected = evaluate.both_ways(x, y, splits.test.groups)
        for direction, way, scores in zip((FORTH, BACK), run["ways"], (x @ y.T, y @ x.T), strict=True):
            if way["mrr"] != expected["metrics"][direction]["mrr"]:
                yield f"{run['method']}, {direction}: the MRR"
            for query in range(shown["queries"]):
                own = scores[rows[query]].double()
                top = [rows[number] for number in way["top"][query]]
                if way["ranks"][query] != expected["ranks"][direction][rows[query]]:
                    yield f"{run['method']}, {direction}: the rank of query {query}"
                if top != own.argsort(descending=True)[:10].tolist():
                    yield f"{run['method']}, {direction}: the ten best of query {query}"
                if not np.allclose(way["scores"][query], own[top], rtol=0, atol=6e-4):  # three digits
                    yield f"{run['method']}, {direction}: the scores of query {query}"


def planted(shown, wrong):
    """The same with one thing wrong."""
    run, other = shown["runs"]
    way = run["ways"][1]
    if wrong == "a rank":
        way["ranks"][3] += 1
    elif wrong == "the order of two":
        way["top"][3][:2] = way["top"][3][1::-1]
    elif wrong == "a score":
        way["scores"][3][0] -= 0.002
    elif wrong == "the MRR":
        way["mrr"] += 1e-9
    elif wrong == "two queries":
        way["ranks"][:2], way["top"][:2], way["scores"][:2] = (way[name][1::-1] for name in ("ranks", "top", "scores"))
    elif wrong == "the directions":
        run["ways"].reverse()
    else:
        run["ways"], other["ways"] = other["ways"], run["ways"]
    return shown


PLANTED = ("a rank", "the order of two", "a score", "the MRR", "two queries", "the directions", "the methods")


def test_what_the_explorer_shows_is_what_the_library_computes(found, made, toy):
    assert list(differences(read_data(made)["sets"][0], found, toy)) == []


@pytest.mark.parametrize("wrong", PLANTED)
def test_one_thing_that_is_planted_wrong_is_found(found, made, toy, wrong):
    assert list(differences(planted(read_data(made)["sets"][0], wrong), found, toy))


def test_a_second_making_changes_nothing_and_another_place_gets_the_same_bytes(two_runs, made, tmp_path):
    one, other = shutil.copytree(made, tmp_path / "one"), tmp_path / "other"
    assert write.make(one, two_runs) == []
    write.make(other, two_runs)
    files = [path.relative_to(one) for path in sorted(one.rglob("*")) if path.is_file()]
    assert len(files) > 60
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in files)


def test_a_file_that_is_gone_comes_back_and_a_stale_one_goes(two_runs, made, tmp_path):
    shutil.copytree(made, tmp_path / "out")
    gone, stale = tmp_path / "out" / "audio_score" / "view1-0.png", tmp_path / "out" / "old.mp3"
    gone.unlink()
    stale.write_bytes(b"")
    assert set(write.make(tmp_path / "out", two_runs)) == {gone, stale}
    assert gone.exists()
    assert not stale.exists()


def test_a_run_without_embeddings_is_named_as_missing(two_runs, tmp_path):
    embeddings.path(two_runs[1]).unlink()
    write.make(tmp_path / "out", two_runs)
    assert read_data(tmp_path / "out")["missing"] == ["CCA layer, ranking loss (audio_score, toy)"]
    assert len(read_data(tmp_path / "out")["sets"][0]["runs"]) == 1


def test_what_is_missing_is_not_looked_for_again_until_something_has_come(two_runs, tmp_path, toy, monkeypatch):
    lost = embeddings.path(two_runs[1])
    content = lost.read_bytes()
    lost.unlink()
    write.make(tmp_path / "out", two_runs)
    others = tmp_path / "data" / "audio_score"  # other pairs may be built beside these at any time
    others.mkdir(parents=True)
    (others / toy.folder.name).symlink_to(toy.folder)
    with monkeypatch.context() as patch:
        patch.setattr(write, "load_runs", None)
        patch.setattr(paths, "DATA", others.parent)
        assert write.make(tmp_path / "out", two_runs) == []
        (others / "pairs-other").mkdir()
        (others / "pairs-other" / cache.MANIFEST).write_text("{}")
        assert write.make(tmp_path / "out", two_runs) == []
    lost.write_bytes(content)
    assert write.make(tmp_path / "out", two_runs)
    assert read_data(tmp_path / "out")["missing"] == []


def test_one_record_a_method_and_profile_is_shown_the_longest_profile_first():
    def record(method, profile, seed, **more):
        return {"dataset": "emoji", "method": method, "profile": profile, "seed": seed} | more

    found = [record("ccal_cont", "quick", 2), record("ccal_cont", "quick", 1), record("ccal_cont", "medium", 3)]
    kept = write.shown_records([*found, record("ccal_tno", "quick", 1, variant="zero_shot")])
    assert kept == [found[2], found[1]]


# ---- what is committed of long runs ------------------------------------------------------------------------------


def test_what_is_kept_is_shown_without_the_runs_and_as_it_would_be_with_them(two_runs, made, tmp_path, toy):
    runs, _ = write.load_runs(two_runs)
    kept.write(toy, runs)
    shutil.rmtree(paths.RUNS)
    write.make(tmp_path / "without", two_runs)
    assert read_data(tmp_path / "without") == read_data(made)


def test_what_is_kept_of_a_record_that_was_made_again_is_not_shown(two_runs, toy):
    kept.write(toy, write.load_runs(two_runs)[0])
    two_runs[0]["ranks"][FORTH][0] += 1
    assert [answers.record for answers in kept.read(toy, two_runs)[0]] == [two_runs[1]]


def test_what_is_kept_is_for_these_test_pairs_alone(two_runs, toy, monkeypatch):
    kept.write(toy, write.load_runs(two_runs)[0])
    monkeypatch.setattr(kept, "digest", lambda split: "other")
    assert kept.read(toy, two_runs) == ([], [])


def test_every_answer_that_is_committed_stands_at_the_rank_of_its_record():
    entry = json.loads((paths.ROOT / "book" / "records" / "explorer.json").read_text())["audio_score"]
    assert [run["method"] for run in entry["runs"]] == ["linear_cca", "ccal_tno", "learned_cont", "ccal_cont"]
    for run in entry["runs"]:
        record = records.load(paths.ROOT / "book" / "records" / run["record"])
        record = collect.linear_cca(record) if run["method"] == "linear_cca" else record
        assert embeddings.path(record).name == run["embeddings"]
        for direction, top in zip((FORTH, BACK), run["top"], strict=True):
            for query, found in zip(entry["queries"], top, strict=True):
                rank = record["ranks"][direction][query]
                assert (found.index(query) + 1 if query in found else rank) == rank


# ---- the page, in a browser ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page_file(made):
    """The explorer's part of its page, with what two made-up runs and no site around it."""
    source = paths.ROOT / "book"
    block = re.search(r"```\{raw\} html\n(.*?)```", (source / "explorer.md").read_text(encoding="utf-8"), re.S)[1]
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    page = made.parents[2] / "page.html"
    page.write_text(f"{head}<title>Explorer</title><main>{block}</main>", encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def opened(browser, page_file, request):
    """The page opened from its file at both widths; nothing may go wrong on it and nothing may leave the machine."""
    context = browser.new_context(viewport=request.param, has_touch=request.param is PHONE)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("requestfailed", lambda lost: wrong.append(f"failed: {lost.url}"))
    page.on("request", lambda sent: None if sent.url.startswith("file:") else wrong.append(f"leaves: {sent.url}"))
    page.goto(page_file.as_uri())
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    context.close()
    assert wrong == []


def chosen(page):
    return int(page.locator("[role=option][aria-selected=true]").get_attribute("id").removeprefix("explorer-query-"))


def shown_ranks(page):
    return [float(mark.get_attribute("data-rank")) for mark in page.locator(".x-answer-rank").all()]


@pytest.fixture(scope="module")
def expected_ranks(found, made, toy):
    """What the records say of a query, found again by its place among the test pairs."""
    data, labels = read_data(made)["sets"][0], labels_of(toy)
    by_method = {record["method"]: record for record, _, _ in found}
    shown = [by_method[run["method"]] for run in data["runs"]]
    rows = [labels.index(label) for label in data["labels"]]
    return lambda query, way: [record["ranks"][(FORTH, BACK)[way]][rows[query]] for record in shown]


def test_a_query_is_chosen_by_mouse_and_its_ranks_are_the_records(opened, expected_ranks):
    for query in (3, 11):
        opened.locator(f"#explorer-query-{query}").click()
        assert chosen(opened) == query
        assert shown_ranks(opened) == expected_ranks(query, way=0)


def test_a_tap_is_answered_on_the_screen_that_was_tapped(opened, expected_ranks):
    tap = "tap" if opened.viewport_size == PHONE else "click"
    for query in (2, 6, 12):
        getattr(opened.locator(f"#explorer-query-{query}"), tap)()
        assert shown_ranks(opened) == expected_ranks(query, way=0)
        for column in opened.locator(".x-column").all():
            for part in (column.locator(".x-verdict"), *column.locator(".x-found .x-card").all()[:3]):
                box = part.bounding_box()
                assert box["y"] >= 0
                assert box["y"] + box["height"] <= opened.viewport_size["height"]
        opened.mouse.wheel(0, 150 * query)


def test_the_map_answers_a_tap_on_itself(opened):
    plot = opened.locator(".x-map svg").first
    plot.focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("Enter")
    said = opened.locator(".x-map .x-bubble strong").first.inner_text()
    ranks = [f"{rank:,.1f} (tied)" if rank % 1 else f"{rank:,.0f}" for rank in shown_ranks(opened)]
    assert said == f"The right answer has rank {ranks[0]} with A, {ranks[1]} with B"


def test_everything_to_tap_is_24_pixels_wide_and_high(opened):
    for way in ("sheet → audio", "audio → sheet"):
        opened.get_by_label(way).check()
        small = opened.evaluate(
            "[...document.querySelectorAll('#explorer :is([role=option], button, select, input, svg[role])')]"
            ".map(e => [e.outerHTML.slice(0, 60), ...['width', 'height'].map(s => e.getBoundingClientRect()[s])])"
            ".filter(([, width, height]) => width < 24 || height < 24)"
        )
        assert small == []


@pytest.fixture(scope="module")
def right_alone(made, expected_ranks):
    """The queries that A has right and B not, and those of B."""
    queries = range(read_data(made)["sets"][0]["queries"])
    right = [[rank == 1 for rank in expected_ranks(query, way=0)] for query in queries]
    return [[query for query, ours in enumerate(right) if ours == wanted] for wanted in ([True, False], [False, True])]


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_the_filter_lists_what_one_method_alone_has_right(opened, right_alone, by):
    for show, expected in zip((1, 2), right_alone, strict=True):
        if by == "mouse":
            opened.get_by_label("Show").select_option(str(show))
        else:
            opened.get_by_label("Show").focus()
            opened.keyboard.press("ArrowDown")
        ids = [option.get_attribute("id") for option in opened.locator("[role=option]").all()]
        assert ids == [f"explorer-query-{query}" for query in expected]
        name = opened.get_by_label("Show").locator("option").nth(show).inner_text()
        assert name == f"{('A right, B wrong', 'B right, A wrong')[show - 1]}: {len(expected)}"
        assert opened.locator(".x-count").inner_text().startswith(f"{len(expected)} of these")
        if expected:
            assert chosen(opened) == expected[0]
            assert [rank == 1 for rank in shown_ranks(opened)] == [show == 1, show == 2]


def test_the_filter_counts_all_test_queries_by_the_records(opened, found):
    opened.get_by_label("Show").select_option("1")
    ours, theirs = (np.array(record["ranks"][FORTH]) == 1 for record, _, _ in found)
    assert f"; {(ours & ~theirs).sum()} of all 60 test queries." in opened.locator(".x-count").inner_text()


def test_methods_that_are_changed_turn_the_filter_round(opened, right_alone):
    opened.get_by_label("Show").select_option("1")
    opened.get_by_label("Method A").select_option("1")
    opened.get_by_label("Method B").select_option("0")
    ids = [option.get_attribute("id") for option in opened.locator("[role=option]").all()]
    assert ids == [f"explorer-query-{query}" for query in right_alone[1]]


def test_instrument_and_tempo_of_every_excerpt_are_named(opened, toy):
    tune = sounds.of_pair(toy.test, 0)[0]
    assert sounds.played(tune) == f"dulcimer, ♩ = {tune['quarters_per_minute']:.0f}"
    for part in (".x-query p", ".x-found .x-card >> nth=0"):
        assert re.search(r"dulcimer, ♩ = \d+", opened.locator(part).first.inner_text())


def test_unequal_runs_are_named_as_such(opened):
    said = opened.locator(".x-unequal").inner_text()
    assert said == "Unequal runs: A and B have ended as planned and not converged."
    titles = [title.inner_text() for title in opened.locator(".x-column h3").all()]
    assert titles == [
        "A: CCA layer, trace norm (toy, 200 pairs)",
        "B: CCA layer, ranking loss (toy, 200 pairs, not converged)",
    ]
    opened.get_by_label("Method B").select_option("0")
    assert not opened.locator(".x-unequal").is_visible()


def test_axe_finds_nothing_on_the_explorer(opened):
    opened.add_script_tag(path=Path(axe_playwright_python.__file__).with_name("axe.min.js"))
    assert opened.evaluate(AXE, [LEVELS, False]) == []
    assert opened.evaluate(AXE, [LEVELS, True]) == []


def test_a_query_is_chosen_by_keyboard_and_stays_in_view(opened, expected_ranks):
    opened.locator("#explorer-queries").focus()
    for key, query in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", None), ("Home", 0)):
        opened.keyboard.press(key)
        last = opened.locator("[role=option]").count() - 1
        assert chosen(opened) == (last if query is None else query)
        assert shown_ranks(opened) == expected_ranks(chosen(opened), way=0)
        box, option = (opened.locator(name).bounding_box() for name in ("#explorer-queries", "[aria-selected=true]"))
        assert box["y"] <= option["y"] + 1
        assert option["y"] + option["height"] <= box["y"] + box["height"] + 1
    assert opened.evaluate("document.activeElement.id") == "explorer-queries"


def test_arrows_go_up_and_down_by_a_row_of_the_list(opened):
    opened.locator("#explorer-queries").focus()
    first = opened.locator("#explorer-query-0").bounding_box()
    opened.keyboard.press("ArrowDown")
    below = opened.locator("[aria-selected=true]").bounding_box()
    if opened.viewport_size == PHONE:  # the list is one row, and below is the next
        assert chosen(opened) == 1
    else:
        assert below["x"] == pytest.approx(first["x"], abs=2)
        assert chosen(opened) > 1
    opened.keyboard.press("ArrowUp")
    assert chosen(opened) == 0


def test_direction_and_methods_change_what_is_shown(opened, expected_ranks):
    opened.locator("#explorer-query-5").click()
    opened.get_by_label("audio → sheet").check()
    assert chosen(opened) == 5
    assert shown_ranks(opened) == expected_ranks(5, way=1)
    assert opened.locator(".x-query .x-tile").first.get_attribute("class") == "x-tile x-sound"
    opened.get_by_label("Method A").select_option(label="CCA layer, ranking loss (toy, 200 pairs, not converged)")
    opened.get_by_label("Method B").select_option(label="CCA layer, trace norm (toy, 200 pairs)")
    assert shown_ranks(opened) == expected_ranks(5, way=1)[::-1]


def test_each_method_lists_ten_and_marks_the_right_answer_once(opened):
    seen = []
    for query in (0, 4, 9, 13):
        opened.locator(f"#explorer-query-{query}").click()
        seen += shown_ranks(opened)
        for column, rank in zip(opened.locator(".x-column").all(), shown_ranks(opened), strict=True):
            assert column.locator(".x-found .x-card").count() == 10
            right = column.locator(".x-card.x-right")
            assert right.count() == 1
            assert right.get_attribute("data-item") == str(query)
            assert "✓ right answer" in " ".join(right.inner_text().split())
            places = [card.get_attribute("data-item") for card in column.locator(".x-found .x-card").all()]
            assert (places.index(str(query)) + 1 if rank <= 10 else rank) == rank
    assert min(seen) <= 10 < max(seen)


def test_a_sound_plays(opened):
    opened.evaluate("document.getElementById('explorer-player').loop = true")  # it must not end before it is looked at
    opened.locator(".x-found .x-play").first.click()
    opened.wait_for_function("document.getElementById('explorer-player').currentTime > 0")
    said = opened.evaluate(
        "(({duration, error, paused}) => ({duration, error, paused}))(document.getElementById('explorer-player'))"
    )
    assert 2 < said["duration"] < 2.4
    assert said["error"] is None
    assert not said["paused"]
    assert opened.locator("[aria-pressed=true]").count() == 1
    opened.locator(".x-found .x-play").first.click()
    assert opened.evaluate("document.getElementById('explorer-player').paused")
    assert opened.locator("[aria-pressed=true]").count() == 0


def test_the_space_bar_plays_a_query_that_sounds(opened):
    opened.get_by_label("audio → sheet").check()
    opened.locator("#explorer-queries").focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press(" ")
    opened.wait_for_function("document.getElementById('explorer-player').duration > 2")
    assert opened.locator(".x-query .x-play").get_attribute("aria-pressed") == "true"
    assert "/1.mp3" in opened.evaluate("document.getElementById('explorer-player').src")


def test_a_mark_on_the_map_shows_its_item_and_asks_when_clicked(opened, made, expected_ranks):
    data = read_data(made)["sets"][0]
    plot = opened.locator(".x-map svg").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    spots = np.array(data["runs"][0]["map"])  # (2, queries, 2)
    away = np.linalg.norm(spots[1][:, None] - spots.reshape(-1, 2), axis=2)
    lonely = int(np.sort(away, axis=1)[:, 1].argmax())  # a sound with no other mark near by
    x, y = (spots[1, lonely] + 40) / 1080 * box["width"]
    plot.hover(position={"x": x, "y": y})
    assert data["labels"][lonely] in opened.locator(".x-map .x-bubble").first.inner_text()
    plot.click(position={"x": x, "y": y})
    assert chosen(opened) == lonely
    assert opened.get_by_label("audio → sheet").is_checked()
    assert shown_ranks(opened) == expected_ranks(lonely, way=1)


def test_the_map_is_walked_by_keyboard(opened):
    plot = opened.locator(".x-map svg").nth(1)
    plot.focus()
    words = set()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft", "ArrowUp"):
        opened.keyboard.press(key)
        words.add(opened.locator(".x-map .x-bubble").nth(1).inner_text())
    assert len(words) > 1
    text = opened.locator(".x-map .x-bubble").nth(1).inner_text().strip().splitlines()[0]
    opened.keyboard.press("Enter")
    assert text.split(": ", 1)[1].lower() == opened.locator(".x-query p span").first.inner_text().lower()
    assert opened.evaluate("document.activeElement.closest('.x-map') !== null")


def test_every_picture_and_control_has_words(opened):
    for way in ("sheet → audio", "audio → sheet"):
        opened.get_by_label(way).check()
        unnamed = opened.evaluate(
            "[...document.querySelectorAll('#explorer :is([role=img], [role=option], button, svg[role])')]"
            ".filter(e => !(e.getAttribute('aria-label') || '').trim()).length"
        )
        assert unnamed == 0
    assert re.match(
        r"Sheet music around note \d+ of “.+”\. Notes: .*\[.+\].*\. Dulcimer, \d+ quarter notes a minute\.",
        opened.locator(".x-snippet").first.get_attribute("aria-label"),
    )


def test_the_address_opens_the_same_view_again(opened, expected_ranks):
    opened.locator("#explorer-query-9").click()
    opened.get_by_label("audio → sheet").check()
    address = opened.url
    opened.goto("about:blank")
    opened.goto(address)
    assert chosen(opened) == 9
    assert shown_ranks(opened) == expected_ranks(9, way=1)


def test_opening_the_page_draws_one_query_and_lays_it_out_a_few_times(browser, page_file):
    page = browser.new_page(viewport=DESK)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(page_file.as_uri(), wait_until="load")
    assert page.locator(".x-found .x-card").count() == 20
    done = {found["name"]: found["value"] for found in session.send("Performance.getMetrics")["metrics"]}
    assert 1 <= done["LayoutCount"] <= 6  # three, and some more if fonts or pictures come late
    assert page.evaluate("document.querySelectorAll('*').length") < 500  # cards and marks of the map of one query
    page.close()


@pytest.fixture(scope="module")
def own_model_page(tmp_path_factory):
    """The page that `xm explore` makes of a model of one's own, halves of digits."""
    folder = tmp_path_factory.mktemp("own")
    images = load_digits().images[:300]
    left, right = (view.reshape(300, 32) for view in (images[:, :, :4], images[:, :, 4:]))
    Retriever.train(left, right, method="linear_cca").save(folder / "model")
    arrays = []
    for name, view in (("--view1", left), ("--view2", right)):
        np.save(folder / f"{name[2:]}.npy", view[:60])
        arrays += [name, str(folder / f"{name[2:]}.npy")]
    page = folder / "page.html"
    assert app.main(["explore", str(folder / "model"), *arrays, "--page", str(page)]) == 0
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_axe_finds_nothing_on_the_page_of_a_model_of_one_s_own(browser, own_model_page, theme, size):
    context = browser.new_context(
        viewport=size, color_scheme=theme, bypass_csp=True
    )  # the page runs its own script alone
    page = context.new_page()
    page.goto(own_model_page.as_uri())
    page.locator("#explorer-query-2").click()
    page.add_script_tag(content=Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8"))
    assert page.evaluate(AXE, [LEVELS, False]) == []
    assert page.evaluate(AXE, [LEVELS, True]) == []
    context.close()


# ---- the built site --------------------------------------------------------------------------------------------


def test_the_site_has_the_explorer_and_it_is_not_too_heavy():
    if not (SITE / "explorer.html").exists():
        absent("there is no explorer in _build/html (make book)")
    folder = SITE / "_static" / "explorer"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= MEGABYTES * 1e6
    sets = read_data(folder / "built")["sets"]
    assert {s["name"] for s in sets} >= {"audio_score"}
    assert all(len(s["runs"]) >= 2 for s in sets)


def of_records(data):
    """What data.js says of the site's runs that their records do not, or that contradicts itself."""
    found = {(r["dataset"], r["profile"], r["method"], r["seed"]): r for r in records.load_all() if not r["variant"]}
    for shown in data["sets"]:
        own = {key: record for key, record in found.items() if key[0] == shown["name"]}
        for run in shown["runs"]:
            if run["method"] == "linear_cca":  # of any of the records: another processor changes its last digits
                fits = [collect.linear_cca(r) for r in own.values() if r["profile"] == run["profile"]]
                mrrs = [way["mrr"] for way in run["ways"]]
                same = [fit for fit in fits if [fit["metrics"][way]["mrr"] for way in (FORTH, BACK)] == mrrs]
                record = (same or fits)[0]
            else:
                record = own[shown["name"], run["profile"], run["method"], run["seed"]]
            for direction, way in zip((FORTH, BACK), run["ways"], strict=True):
                where = f"{shown['name']}, {run['title']} ({run['profile']}), {direction}"
                if way["mrr"] != record["metrics"][direction]["mrr"]:
                    yield f"{where}: the MRR"
                for query, (rank, top) in enumerate(zip(way["ranks"], way["top"], strict=True)):
                    scores = way["scores"][query]
                    cosine = scores[top.index(query)] if query in top else scores[-1]
                    first, last = 1 + sum(s > cosine for s in scores), sum(s >= cosine for s in scores)  # or a tie
                    placed = rank >= first and (query not in top or rank <= last or last == len(top))
                    if rank not in record["ranks"][direction] or not placed:
                        yield f"{where}: the rank of query {query}"
                if any(scores != sorted(scores, reverse=True) for scores in way["scores"]):
                    yield f"{where}: the order of the scores"


def test_the_site_shows_the_ranks_of_the_records_and_a_planted_one_is_found():
    if not (SITE / "explorer.html").exists():
        absent("there is no explorer in _build/html (make book)")
    data = read_data(SITE / "_static" / "explorer" / "built")
    assert list(of_records(data)) == []
    data["sets"][0]["runs"][-1]["ways"][0]["ranks"][0] += 1
    assert len(list(of_records(data))) == 1


def test_the_page_of_the_site_shows_the_ten_best_of_two_runs_as_it_opens(browser):
    if not (SITE / "explorer.html").exists():
        absent("there is no explorer in _build/html (make book)")
    page = browser.new_page(viewport=DESK)
    page.goto((SITE / "explorer.html").as_uri(), wait_until="load")
    assert page.locator(".x-found .x-card").count() == 20
    page.close()
