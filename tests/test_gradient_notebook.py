"""The notebook `gradient` runs anywhere and stops at a wrong sign."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from xmlib import paths

NOTEBOOK = paths.NOTEBOOKS / "gradient.ipynb"
INLINE = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"} | {"OMP_NUM_THREADS": "1"}  # figures as in Jupyter
SMALL = ("-y", "{sizes: [8, 16], size_draws: 1, noise_d: 12, noise_draws: 20}")
FLIPS = {  # file, what stands there, the same with a wrong sign, the first check that notices
    "the polar part of the layer": ("cca.py", "inside = (M - N)[:k]", "inside = (M + N)[:k]", "one gradient"),
    "the border of the kept directions": (
        "cca.py", "(M[k:] * kept + N[k:] * rest) * across", "(M[k:] * kept - N[k:] * rest) * across", "k = 4",
    ),
    "the trace norm": (
        "adjoints.py", "return -(A * corr) @ A.T / 2", "return (A * corr) @ A.T / 2", "trace-norm-gradient",
    ),
    "the implicit adjoint": (
        "adjoints.py", "(M - M.T) * corr + corr", "(M - M.T) * corr - corr", "implicit-covariances",
    ),
}  # fmt: skip


def papermill(folder, *parameters, **environment):
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(NOTEBOOK), "out.ipynb", *parameters]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=INLINE | environment)
    return run, nbformat.read(folder / "out.ipynb", as_version=4)


def test_the_notebook_runs_from_another_folder_and_shows_and_saves_five_figures(tmp_path):
    run, notebook = papermill(tmp_path, *SMALL, "-p", "svg_folder", str(tmp_path / "figures"))
    assert run.returncode == 0, run.stderr[-3000:]
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 5
    assert not [o for o in outputs if o.output_type == "stream"]  # warnings would be here
    names = ["approach", "border", "noise", "precision", "trace-norm"]
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [f"gradient-{name}.svg" for name in names]


@pytest.mark.parametrize("flip", FLIPS)
def test_a_wrong_sign_stops_the_notebook(tmp_path, flip):
    file, right, wrong, noticed_by = FLIPS[flip]
    ignored = shutil.ignore_patterns("__pycache__")
    patched = shutil.copytree(paths.ROOT / "xmlib", tmp_path / "patched" / "xmlib", ignore=ignored) / file
    assert patched.read_text().count(right) == 1
    patched.write_text(patched.read_text().replace(right, wrong))
    run, _ = papermill(tmp_path, *SMALL, PYTHONPATH=str(tmp_path / "patched"))
    assert run.returncode != 0
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith(f"AssertionError: {noticed_by}") or f"{noticed_by}: the error is" in last
