"""The notebooks `gradient_*` run anywhere and stop at a wrong sign."""

import os
import shutil

import nbformat
import pytest
import torch

from book.derivations import adjoints
from book.derivations.checks import Checks, inner, slope
from xmlib import paths

INLINE = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"} | {"OMP_NUM_THREADS": "1"}  # figures as in Jupyter
FIGURES = {"cca": ["noise", "trace-norm"], "layer": [], "precision": ["approach", "border", "precision"]}
SMALL = {
    "cca": ("-y", "{noise_d: 12, noise_draws: 20}"),
    "layer": (),
    "precision": ("-y", "{sizes: [8, 16], size_draws: 1}"),
}
FLIPS = {  # notebook, file, what stands there, the same with a wrong sign, the first check that notices
    "the polar part of the layer": (
        "layer", "cca.py", "inside = (M - N)[:k]", "inside = (M + N)[:k]", "one gradient",
    ),
    "the border of the kept directions": (
        "layer", "cca.py", "(M[k:] * kept + N[k:] * rest) * across", "(M[k:] * kept - N[k:] * rest) * across", "k = 4",
    ),
    "the trace norm": (
        "cca", "adjoints.py", "return -(A * corr) @ A.T / 2", "return (A * corr) @ A.T / 2", "trace-norm-gradient",
    ),
    "the implicit adjoint": (
        "layer", "adjoints.py", "(M - M.T) * corr + corr", "(M - M.T) * corr - corr", "implicit-covariances",
    ),
    "the shorter way back": ("layer", "adjoints.py", "(H @ Z - N) - X @ Z", "(H @ Z - N) + X @ Z", "short-backward"),
    "the iteration by products": (
        "layer", "polar.py", "b * (grad @ S + X @ (K + K.mT))", "b * (grad @ S + X @ (K - K.mT))",
        "short-backward, first line by products",
    ),
    "the polar route at a tie": (
        "precision", "cca.py", "inside = (M - N)[:k]", "inside = (M + N)[:k]", "polar at a tie, gradient",
    ),
}  # fmt: skip


@pytest.mark.parametrize("part", FIGURES)
def test_each_notebook_runs_from_another_folder_and_shows_and_saves_its_figures(tmp_path, forks, part):
    folder = tmp_path / "figures"
    folder.mkdir()
    parameters = [*SMALL[part], *(("-p", "svg_folder", folder) if FIGURES[part] else ())]
    command = ("-m", "papermill", "--no-progress-bar", paths.NOTEBOOKS / f"gradient_{part}.ipynb", "out.ipynb")
    run = forks.run(*command, *parameters, cwd=tmp_path, env=INLINE | forks.kernels)
    assert run.returncode == 0, run.stderr[-3000:]
    outputs = [o for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells for o in cell.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == len(FIGURES[part])
    assert not [o for o in outputs if o.output_type == "stream"]  # warnings would be here
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        f"gradient-{name}{ending}" for name in FIGURES[part] for ending in (".svg", "-narrow.svg", ".csv")
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("-p", "nonsense", "3"), "has no parameter 'nonsense'; it has: seed, n, d, ridge"),
        (("-r", "n", "abc"), "The parameter n is 'abc' of type str; give a int"),
    ],
)
def test_a_parameter_that_means_nothing_stops_the_notebook(tmp_path, forks, given, words):
    command = ("-m", "papermill", "--no-progress-bar", paths.NOTEBOOKS / "gradient_layer.ipynb", "out.ipynb", *given)
    run = forks.run(*command, cwd=tmp_path, env=INLINE | forks.kernels)
    assert run.returncode != 0
    assert words in run.stderr


def test_every_figure_of_a_chapter_is_made_by_one_of_the_notebooks():
    chapters = "".join(path.read_text(encoding="utf-8") for path in (paths.ROOT / "book").glob("*.md"))
    for name in sum(FIGURES.values(), []):
        assert f"_generated/gradient-{name}.svg" in chapters
    assert chapters.count("_generated/gradient-") == sum(map(len, FIGURES.values()))


@pytest.mark.parametrize("flip", FLIPS)
def test_a_wrong_sign_stops_the_notebook(tmp_path, forks, flip):
    part, file, right, wrong, noticed_by = FLIPS[flip]
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("xmlib", "book/derivations", "book/show", "notebooks"):  # the last say their parameters
        shutil.copytree(paths.ROOT / name, tmp_path / "patched" / name, ignore=ignored)
    shutil.copy(paths.ROOT / "book/__init__.py", tmp_path / "patched" / "book")
    (patched,) = (tmp_path / "patched").rglob(file)
    assert patched.read_text().count(right) == 1
    patched.write_text(patched.read_text().replace(right, wrong))
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "patched")}
    # The twin, which says the same: no kernel has to start.
    run = forks.run(paths.NOTEBOOKS / f"gradient_{part}.py", cwd=tmp_path, env=environment)
    assert run.returncode != 0
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith(f"AssertionError: {noticed_by}") or f"{noticed_by}: the error is" in last


def test_a_check_stops_at_an_error_above_the_tolerance_and_keeps_those_below_it():
    checks = Checks()
    checks.within("near", torch.tensor([3.0, 4.0005]), torch.tensor([3.0, 4.0]), 1e-3)
    with pytest.raises(AssertionError, match=r"far: the error is 1.0e-0[34], above 1e-05"):
        checks.within("far", torch.tensor([3.0, 4.0005]), torch.tensor([3.0, 4.0]), 1e-5)
    with pytest.raises(AssertionError, match="lost: the error is nan"):
        checks.within("lost", torch.tensor([torch.nan]), torch.tensor([1.0]), 1e3)
    assert [row["what"] for row in checks.rows] == ["near"]


def test_a_gradient_times_a_direction_is_the_slope():
    point, direction = torch.arange(6, dtype=torch.float64).view(2, 3).unbind(), torch.ones(2, 3).double().unbind()
    found = slope(lambda a, b: (a**2).sum() + (a * b).sum(), point, direction)
    gradient = (2 * point[0] + point[1], point[0])
    torch.testing.assert_close(found, inner(gradient, direction), rtol=1e-8, atol=0)


def test_the_solution_of_the_sylvester_equation_solves_it():
    H, right = torch.tensor([[2.0, 0.5], [0.5, 1.0]]), torch.tensor([[1.0, -2.0], [3.0, 0.0]])
    Z = adjoints.sylvester(H, right)
    torch.testing.assert_close(H @ Z + Z @ H, right)
