"""The page of released options names options, settings and parameters that are there, and its reasons are so."""

import re
from dataclasses import fields

import pytest
import torch
import typer.main

from xmlib import paths
from xmlib.cca import cca
from xmlib.commands import app
from xmlib.objectives import ranking_loss
from xmlib.profiles import Settings
from xmlib.runs import parameters

PAGE = (paths.ROOT / "book" / "released_options.md").read_text()
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "Released" not in line]
OURS = " ".join(row[1] for row in ROWS)
NOTEBOOKS = ("audio_score", "image_text", "neighborhoods")


def named(before: str) -> list[str]:
    """The names in a list that begins with such a word, as in: settings `d`, `batch`."""
    lists = re.findall(rf"\b{before}s? ((?:`\w+`(?:,| and)? ?)+)", OURS)
    return [name for one in lists for name in re.findall(r"`(\w+)`", one)]


def test_every_row_says_what_is_here_and_why_what_is_not():
    assert len(ROWS) > 40
    assert all(len(row) == 2 and row[1] for row in ROWS)
    assert [row for row in ROWS if row[1].startswith("none") and len(row[1]) < 30] == []


def test_the_commands_and_their_options_exist():
    commands = typer.main.get_command(app.app).commands
    found = re.findall(r"`xm (\w+)([^`]*)`", OURS)
    assert len(found) > 8
    for name, rest in found:
        known = {option for one in commands[name].params for option in one.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= known, name


def test_the_settings_exist():
    assert len(named("setting")) > 15
    assert set(named("setting")) <= {one.name for one in fields(Settings)}


def test_the_parameters_exist():
    notebooks = [paths.NOTEBOOKS / f"{name}.ipynb" for name in NOTEBOOKS]
    known = {name for one in notebooks for name in [*parameters.defaults(one), *parameters.options(one)]}
    assert len(named("parameter")) > 5
    assert set(named("parameter")) - {"released_scaling"} <= known


def test_kiros_loss_is_the_ranking_loss_in_both_directions_times_a_number():
    g = torch.Generator().manual_seed(0)
    x, y = (torch.nn.functional.normalize(torch.randn(7, 4, generator=g).double(), dim=1) for _ in "12")
    scores, total = x @ y.T, 0.0
    for i in range(7):
        for j in set(range(7)) - {i}:
            total += max(0, 0.3 - scores[i, i] + scores[i, j]) + max(0, 0.3 - scores[i, i] + scores[j, i])
    assert float(ranking_loss(x, y, margin=0.3, both_ways=True)) * 7 * 6 == pytest.approx(float(total))


def test_two_ridges_are_one_ridge_on_a_scaled_view():
    g = torch.Generator().manual_seed(1)
    h1, h2 = (torch.randn(50, 4, generator=g).double() for _ in "12")
    r1, r2 = 0.1, 0.4
    centred = [h - h.mean(0) for h in (h1, h2)]
    sxx, syy = (h.T @ h / 49 + r * torch.eye(4) for h, r in zip(centred, (r1, r2), strict=True))
    sxy = centred[0].T @ centred[1] / 49
    squares = torch.linalg.eigvals(torch.linalg.solve(sxx, sxy) @ torch.linalg.solve(syy, sxy.T)).real
    expected = squares.sort(descending=True).values.sqrt()
    torch.testing.assert_close(cca(h1 * (r2 / r1) ** 0.5, h2, ridge=r2)[2], expected)
