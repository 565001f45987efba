"""The frame of the benchmarks: how two computations are timed against each other, and what is said of a claim."""

import json
import os

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import common, released_loop, training
from book.make import markdown, write
from book.make.results import beyond, speed
from xmlib import encoders, evaluate, methods, objectives
from xmlib.cca import CCALayer
from xmlib.errors import InputError


class Clock:
    """Processor time that passes only while a computation runs."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now

    def takes(self, name, *seconds):
        """A computation that takes these times in turn."""
        times = iter(seconds)

        def compute():
            self.calls.append(name)
            self.now += next(times)

        return compute


def row(ratio, goal):
    return common.claim("ours against theirs", "n = 3", common.compared([1.0], [ratio]), goal)


def test_the_ratio_is_the_median_over_turns_of_how_many_times_as_fast_ours_is():
    clock = Clock()
    ours, other = clock.takes("ours", 99, 1, 1, 2), clock.takes("other", 99, 3, 5, 2)  # the first calls do not count
    timing = common.paired(ours, other, turns=3, clock=clock)
    assert timing == {"ours": 1, "other": 3, "ratio": 3, "spread": [2, 4]}


def test_each_of_the_two_is_first_in_every_other_turn():
    clock = Clock()
    common.paired(clock.takes("ours", *[1] * 5), clock.takes("other", *[1] * 5), turns=4, clock=clock)
    assert clock.calls[2:] == ["ours", "other", "other", "ours", "ours", "other", "other", "ours"]


def test_several_passes_give_the_time_of_one():
    clock = Clock()
    timing = common.paired(clock.takes("a", *[2] * 9), clock.takes("b", *[4] * 9), turns=2, passes=4, clock=clock)
    assert (timing["ours"], timing["other"]) == (2, 4)


@pytest.mark.parametrize(("ratio", "goal", "met"), [(1.5, 1.5, True), (1.4, 1.5, False), (1, None, True)])
def test_a_goal_is_the_least_ratio_that_is_wanted(ratio, goal, met):
    assert row(ratio, goal)["met"] == met


def test_a_missed_goal_is_said_and_the_exit_status_is_0(capsys, tmp_path):
    rows = [row(1.2, 1.5), row(1.8, 1.5), row(1.0, None)]
    assert common.main("Title.", lambda: rows, ["--json", str(tmp_path / "some.json")]) == 0
    said = capsys.readouterr().out
    assert said.count("MISSED") == 1
    assert "1 s against 1.2 s: ratio 1.2 [1.2, 1.2]; goal 1.5: MISSED" in said
    written = json.loads((tmp_path / "some.json").read_text())
    assert written["rows"] == rows
    assert {"machine", "packages", "commit", "date", "seconds"} <= set(written)


def grown():
    return common.growth(lambda: b"x" * (64 * 2**20))


def test_the_growth_of_a_fresh_process_does_not_know_what_its_parent_held():
    held = bytearray(256 * 2**20)
    assert 60 < common.apart(grown) < 80
    del held


def test_a_fresh_process_has_the_variables_that_it_is_given_and_this_one_keeps_its_own():
    assert common.apart(os.getenv, "XMLIB_OF_A_TEST", environment={"XMLIB_OF_A_TEST": "1"}) == "1"
    assert "XMLIB_OF_A_TEST" not in os.environ


@pytest.mark.parametrize(("value", "unit", "text"), [
    (0.00123, "s", "1.23 ms"), (12.345, "s", "12.3 s"), (1023.6, "MiB", "1020 MiB"), (0.5, "MiB", "0.5 MiB"),
])  # fmt: skip
def test_amounts_have_three_significant_digits(value, unit, text):
    assert markdown.amount(value, unit) == text


def test_every_script_runs_though_one_of_them_fails_and_then_the_status_is_1(monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(command, "run", lambda script, folder: ran.append(script) or script == command.SCRIPTS[0])
    assert command.main([]) == 1
    assert ran == command.USUAL
    assert capsys.readouterr().err == f"error: the benchmark {command.SCRIPTS[0]} stopped with the error above\n"


def test_an_unknown_benchmark_is_refused_with_the_names_of_all(capsys):
    with pytest.raises(SystemExit):
        command.main(["speed"])
    assert f"there is no benchmark speed: choose from {', '.join(command.SCRIPTS)}" in capsys.readouterr().err


# ---- training --------------------------------------------------------------------------------------------------


def features(n):
    h1 = torch.randn(n, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return h1, h1 + torch.randn(n, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_ported_encoder_with_our_weights_has_our_outputs():
    torch.manual_seed(0)
    ours = encoders.ConvEncoder(32, 1 / 2)
    ported = released_loop.Encoder(encoders.filters(1 / 2), 32)
    ported.load_state_dict(ours.state_dict())
    view = torch.rand(6, 1, 40, 50)
    torch.testing.assert_close(ported(view), ours(view), rtol=0, atol=1e-5)


def test_the_ported_loss_is_the_librarys():
    views = features(100)
    ours = objectives.ranking_loss(*CCALayer(32)(*views), margin=training.S.margin)
    torch.testing.assert_close(released_loop.ranking_loss(*views, training.S), ours)


def test_the_ported_mrr_is_the_librarys():
    x, y = (torch.nn.functional.normalize(h, dim=1) for h in features(50))
    assert released_loop.mrr(1 - (x @ y.T).numpy()) == pytest.approx(evaluate.mrr(x, y))


def test_folding_batch_norm_leaves_the_outputs_as_they_are():
    model = methods.build(training.METHOD, training.S, 1)
    generator = torch.Generator().manual_seed(0)
    batch = tuple(torch.rand(20, *shape, generator=generator) for shape in ((1, 40, 50), (1, 92, 42)))
    model.features(*batch)  # statistics other than those of the start
    model.eval()
    folded = training.folded(model)
    assert not [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for one, other in zip(training.features(folded, batch), training.features(model, batch), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_the_operations_of_a_step_are_those_of_its_convolutions():
    multiplications = 0
    for height, width in ((40, 50), (92, 42)):
        for channels_in, channels in ((1, 8), (8, 24), (24, 48), (48, 48)):
            multiplications += 9 * (channels_in + channels) * channels * height * width
            height, width = height // 2, width // 2
        multiplications += 48 * 32 * height * width
    assert training.operations() == 3 * 2 * training.S.batch * multiplications


# ---- the page of the book --------------------------------------------------------------------------------------


def some_record(*rows):
    return common.record("layer", "The layer", rows, 3.0)


def test_the_page_says_how_many_claims_reach_their_goal_and_names_those_that_do_not():
    found = [some_record(row(1.2, 1.5), row(1.8, 1.5), row(1.0, None))]
    shown = speed.fragments(found)["speed_verdict.md"]
    assert shown.splitlines()[2:] == [
        "1 of 2 claims with a goal reach it. Missed:", "", "- ours against theirs: 1.2, where 1.5 was the goal", "",
        "All but the whole gallery took 0.05 minutes on a busy machine.",
    ]  # fmt: skip


def test_the_table_has_a_row_a_claim_and_marks_a_missed_goal():
    shown = speed.fragments([some_record(row(1.2, 1.5), row(1.8, 1.5))])["speed.md"]
    assert "| ours against theirs | n = 3 | 1 s | 1.2 s | 1.2 | 1.5, **missed** |" in shown
    assert "| ours against theirs | n = 3 | 1 s | 1.8 s | 1.8 | 1.5 |" in shown


def test_the_figure_has_a_dot_a_claim_at_its_ratio():
    rows = [row(1.2, 1.5), row(18, 1.5), row(1.0, None)]
    dots = [line for line in speed.ratios(rows).lines if line.get_marker() == "o"]
    assert [float(line.get_xdata()[0]) for line in dots] == [1.2, 18, 1.0]
    assert write.draw(lambda: speed.ratios(rows)).wide.startswith(b"<?xml")


def test_without_records_the_page_says_how_to_make_them(tmp_path):
    shown = speed.fragments(speed.load(tmp_path))
    assert [text.count("`make bench ARGS=--keep` makes the records") for text in shown.values()] == [1, 1]


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1, "rows": []}', '{"format": 9, "rows": [1]}'])
def test_a_file_that_is_no_record_of_a_benchmark_is_refused(tmp_path, content):
    (tmp_path / "layer.json").write_text(content)
    with pytest.raises(InputError, match=r"layer\.json is .* `make bench ARGS=--keep`"):
        speed.load(tmp_path)


@pytest.mark.parametrize("path", sorted(command.KEPT.glob("*.json")), ids=lambda path: path.stem)
def test_a_committed_record_is_that_of_a_script_and_its_verdicts_follow_from_its_numbers(path):
    record = json.loads(path.read_text())
    assert record["script"] == path.stem
    assert path.stem in command.SCRIPTS
    for claim in record["rows"]:
        assert claim["met"] == (claim["goal"] is None or claim["ratio"] >= claim["goal"])


def test_the_exponent_of_a_law_is_that_of_the_last_doubling():
    rows = [common.claim("ranks", "n", common.compared([1.0], [last])) for last in (3.0, 4.0)]
    (found,) = beyond.laws(rows)
    assert found["exponent"] == 2


def test_eight_processors_are_at_most_eight_times_as_fast_as_one():
    found = beyond.estimate([])
    assert found["one"] / 8 < found["eight"] < found["one"]
    assert found["eight"] * (1 - found["travel"]) == pytest.approx(found["one"] / 8)
