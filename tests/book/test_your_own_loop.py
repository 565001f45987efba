"""The loops of the page on one's own loop do what the page says."""

import os
import re

import pytest
import torch

from xmlib import evaluate, paths
from xmlib.cca import CCALayer
from xmlib.objectives import ranking_loss

PAGE = (paths.ROOT / "book" / "your_own_loop.md").read_text()


def code(section: str) -> str:
    """The Python of the page's introduction and of one section."""
    parts = [PAGE.split("\n(own-loop-")[0], PAGE.split(f"(own-loop-{section})=")[1].split("\n(own-loop-")[0]]
    return "\n".join(block for part in parts for block in re.findall(r"```python\n(.*?)```", part, re.DOTALL))


@pytest.mark.parametrize("section", ["plain", "lightning"])
def test_the_loop_on_the_page_finds_far_more_partners_than_chance(section, forks, tmp_path):
    done = forks.run("-c", code(section), cwd=tmp_path, env=os.environ)  # Lightning warns of its own: of loaders
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) > 20 * evaluate.chance_metrics(400)["mrr"]


@pytest.mark.parametrize("section", ["plain", "lightning"])
def test_a_loop_is_short(section):
    own = code(section).removeprefix(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0])
    assert len([line for line in own.splitlines() if line.strip()]) <= 30


def test_the_layer_in_twenty_lines_has_the_scores_and_gradients_of_the_library_s():
    page = (paths.ROOT / "book" / "polar.md").read_text(encoding="utf-8")
    text = re.search(r"\(twenty-lines\)=.*?```python\n(.*?)```", page, re.DOTALL)[1]
    made: dict = {}
    exec(text, made)  # noqa: S102  the page's own code
    assert len([line for line in text.splitlines() if line.strip()]) <= 20
    h1, h2 = torch.randn(2, 60, 8, dtype=torch.float64)
    h2 = (h2 + h1).requires_grad_()
    layer, found = CCALayer(8, ridge=1e-3).double().train(), []
    for embed in (made["cca_layer"], layer):
        x, y = embed(h1, h2)
        found.append((x @ y.T, torch.autograd.grad(ranking_loss(x, y), h2)[0]))
    (scores, gradient), (own_scores, own_gradient) = found
    assert torch.allclose(scores, own_scores, atol=1e-10)
    assert torch.allclose(gradient, own_gradient, atol=1e-10)


def test_a_tie_of_all_correlations_does_the_twenty_lines_no_harm():
    page = (paths.ROOT / "book" / "polar.md").read_text(encoding="utf-8")
    made: dict = {}
    exec(re.search(r"\(twenty-lines\)=.*?```python\n(.*?)```", page, re.DOTALL)[1], made)  # noqa: S102
    h1 = torch.randn(40, 4, dtype=torch.float64)
    h2 = h1.clone().requires_grad_()
    x, y = made["cca_layer"](h1, h2)
    assert torch.isfinite(torch.autograd.grad(ranking_loss(x, y, margin=1.0), h2)[0]).all()
