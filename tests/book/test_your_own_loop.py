"""The loops of the page on one's own loop do what the page says."""

import re
import subprocess
import sys

import pytest

from xmlib import evaluate, paths

PAGE = (paths.ROOT / "book" / "your_own_loop.md").read_text()


def code(section: str) -> str:
    """The Python of the page's introduction and of one section."""
    parts = [PAGE.split("\n(own-loop-")[0], PAGE.split(f"(own-loop-{section})=")[1].split("\n(own-loop-")[0]]
    return "\n".join(block for part in parts for block in re.findall(r"```python\n(.*?)```", part, re.DOTALL))


@pytest.mark.parametrize("section", ["plain", "lightning"])
def test_the_loop_on_the_page_finds_far_more_partners_than_chance(section, tmp_path):
    done = subprocess.run(  # Lightning warns of its own: of loaders without workers, of the device that it was told
        [sys.executable, "-c", code(section)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) > 20 * evaluate.chance_metrics(400)["mrr"]


@pytest.mark.parametrize("section", ["plain", "lightning"])
def test_a_loop_is_short(section):
    own = code(section).removeprefix(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0])
    assert len([line for line in own.splitlines() if line.strip()]) <= 30
