"""pyproject.toml, requirements.lock, environment.yml and what is installed describe one environment."""

import ast
import functools
import importlib.metadata as metadata
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from xmlib.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
BUILD = {"setuptools", "wheel"}  # `pip install --no-build-isolation -e .` needs the first; pip itself is Python's
OF_TORCH = ("nvidia-", "cuda-", "triton")  # PyTorch's CUDA build brings these, its CPU build does not
PLUGIN = "snakemake-executor-plugin-"  # for a cluster; adds commands, changes no number


def applies(requirement: Requirement, extras=()) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in ("", *extras))


LOCKS = ("requirements.lock", "requirements-cuda.lock")


@functools.cache
def blocks(lock: str) -> list[list[str]]:
    """The lines of every package in a lock: its pin, and a hash a line."""
    text = re.sub(r"^#.*\n", "", (ROOT / lock).read_text(encoding="utf-8"), flags=re.M)
    return [re.split(r" \\\n +", block) for block in re.split(r"\n(?! )", text.strip())]


@functools.cache
def locked() -> list[Requirement]:
    """Every pin of the lock; a package may have several, for different Pythons."""
    return [Requirement(lines[0]) for lines in blocks("requirements.lock")]


@functools.cache
def pinned() -> dict[str, str]:
    """Name and version of every package of the lock that applies to this Python and system."""
    return {canonicalize_name(r.name): next(iter(r.specifier)).version for r in locked() if applies(r)}


def installed() -> dict[str, str]:
    """Name and public version (no `+cpu`) of everything but pip, this project and PyTorch's companions."""
    found = {canonicalize_name(d.name): Version(d.version).public for d in metadata.distributions()}
    return {n: v for n, v in found.items() if n not in ("pip", "xmlib") and not n.startswith((*OF_TORCH, PLUGIN))}


def closure(requirements: list[str]) -> tuple[dict[str, str], list[str]]:
    """Every package that is wanted directly or by another one, as {name: version}, and the wishes that are not met."""
    todo, seen, found, unmet = [Requirement(r) for r in requirements], set(), {}, []
    while todo:
        wish = todo.pop()
        name = canonicalize_name(wish.name)
        if str(wish) in seen or not applies(wish) or name.startswith(OF_TORCH):
            continue
        seen.add(str(wish))
        version = pinned().get(name)
        if version is None or not wish.specifier.contains(version, prereleases=True):
            unmet.append(f"{wish} (lock: {version})")
            continue
        found[name] = version
        wanted = [Requirement(r) for r in metadata.requires(name) or []]
        for r in wanted:
            if applies(r, wish.extras):
                r.marker = None  # settled here, with the extras that were asked for
                todo.append(r)
    return found, unmet


def everything() -> list[str]:
    return PROJECT["dependencies"] + [r for extra in EXTRAS.values() for r in extra]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_one_exact_public_version_and_the_hashes_of_its_files(lock):
    for pin, *hashes in blocks(lock):
        assert re.fullmatch(r"==[^*+,]+", str(Requirement(pin).specifier)), f"{pin}: not one exact, public version"
        assert hashes, f"{pin} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), f"{pin}: what is no hash"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_in_alphabetical_order_without_repeats(lock):
    names = [canonicalize_name(Requirement(pin).name) for pin, *_ in blocks(lock)]
    assert names == sorted(names)
    assert len({pin for pin, *_ in blocks(lock)}) == len(names)


@pytest.mark.parametrize("python", ["3.11.2", "3.11.7", "3.12.1", "3.13.0"])
def test_each_package_has_one_version_at_most_for_a_python(python):
    about = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    names = [r.name for r in locked() if r.marker is None or r.marker.evaluate(about)]
    assert len(names) == len(set(names))


def test_what_goes_into_the_environment_is_installed_by_its_hash():
    commands = re.findall(r"^.*pip install.*$", (ROOT / "scripts/setup.sh").read_text(), flags=re.M)
    assert commands
    for command in commands:
        assert "--require-hashes" in command or "--no-deps --no-build-isolation --editable ." in command


def test_the_ranges_of_pyproject_admit_the_lock_and_so_does_every_package_below():
    _, unmet = closure(everything())
    assert not unmet


def test_the_lock_holds_nothing_that_nobody_asked_for():
    found, _ = closure(everything())
    assert set(pinned()) - set(found) - BUILD == set()


def imported() -> set[str]:
    """Top-level names that xmlib, the notebooks and what these have of the book import, anywhere in a file."""
    files = [
        *(ROOT / "xmlib").rglob("*.py"),
        *(ROOT / "notebooks").glob("*.py"),
        *(ROOT / "book").glob("[ds]*/*.py"),
    ]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.split(".")[0] for name in names}


def test_whatever_xmlib_imports_is_a_dependency_in_pyproject():
    owners = metadata.packages_distributions()
    wanted = {
        name: set(map(canonicalize_name, owners[name])) for name in imported() - {"xmlib", "book"} if name in owners
    }
    declared = {canonicalize_name(Requirement(r).name) for r in PROJECT["dependencies"]}
    declared |= {"lameenc", "pyarrow"}  # of extras: the explorer's sounds and Parquet tables need them, and say so
    assert {name for name, packages in wanted.items() if not packages & declared} == set()


def test_what_is_installed_is_what_the_lock_says():
    have, want = installed(), pinned()
    different = {name: (have.get(name), version) for name, version in want.items() if have.get(name) != version}
    assert not different, "(installed, locked) differ; run: rm -rf .venv && make setup"
    extra = sorted(set(have) - set(want))
    assert not extra, f"not in requirements.lock: .venv/bin/pip uninstall {' '.join(extra)}, or add them"


def test_pins_of_environment_yml_are_those_of_the_lock():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    lines = next(d["pip"] for d in dependencies if isinstance(d, dict))
    pins = [line for line in lines if not line.startswith("-")]
    assert pins == [pin for pin, *_ in blocks("requirements.lock")]
    assert "-e ." in lines


def test_environment_yml_asks_for_a_python_that_pyproject_supports():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    python = next(d.split("=")[1] for d in dependencies if str(d).startswith("python="))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python)


@pytest.mark.parametrize(
    "file", ["pyproject.toml", *LOCKS, "scripts/lock.py", "scripts/setup.sh", "Makefile", ".github/workflows/book.yml"]
)
def test_only_environment_yml_names_a_package_index(file):
    assert not re.search(r"index.url[=\s]+\S*://", (ROOT / file).read_text(), flags=re.I)


def test_version_is_the_same_in_pyproject_citation_and_changelog():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert newest
    assert PROJECT["version"] == citation["version"] == newest[1]
