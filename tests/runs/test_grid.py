"""The grid of runs, asked in a copy of the repository what it would do; nothing is trained."""

import os
import re
import shutil

import pytest
import yaml
from forked import Forks

from xmlib import methods, paths
from xmlib.neighborhoods import study

GRID = yaml.safe_load((paths.NOTEBOOKS / "grid.yml").read_text(encoding="utf-8"))
METHODS = GRID["audio_score"]["methods"]
QUICK = {name: row for name, row in GRID.items() if row["notebook"] == "image_text" and "quick" in row["seeds"]}
VARIANTS = sum(3 * len(row.get("methods", METHODS)) for row in GRID["audio_score"]["variants"].values())
LONG = {"long_run": 12, "variant_run": VARIANTS}  # with those that are committed
CONFIGURATIONS = ["" if name == "all" else f"-{name}" for name in study.CONFIGURATIONS]
CONFIGURATIONS += ["-tfidf", *(f"-tfidf-{name}" for name in study.TERMS if name != "all")]
IMAGES = {f"{name}_runs": len(row["methods"]) for name, row in QUICK.items()}
IMAGES |= {f"{name}_mirrored_runs": len(row["mirrored"]) for name, row in QUICK.items() if "mirrored" in row}
SHOWING = {"short_run": 3, **IMAGES, "neighborhoods": 1, "gradient": 3}  # what a page shows
DRAWN = {"theory": 1}
EVERYTHING = {"pairs": 1, "linear": 1, "features": len(QUICK), **SHOWING, **DRAWN}
PAGES = {"report": 1, "explorer": 1, "site": 1}


@pytest.fixture
def copy(tmp_path):
    return fresh(tmp_path / "a copy")


def fresh(root):
    """A copy in a folder with a space, with committed medium records but nothing built, as in a fresh clone."""
    for name in ("xmlib", "notebooks", "book/make", "book/show", "book/derivations"):
        shutil.copytree(paths.ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    pages = "book/reported.yml", "book/index.md", "book/asked.md", "CITATION.cff"
    for name in ("Snakefile", "requirements.lock", "THIRD_PARTY.md", "_config.yml", *pages):
        shutil.copy(paths.ROOT / name, root / name)
    for method in METHODS:
        touch(root / f"book/records/medium/audio_score-{method}-seed1.json")
    return root


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


def built(root):
    """Pretend that the quick grid has run."""
    touch(root / "runs/built/quick")
    touch(root / "runs/built/quick-linear")
    for method in METHODS:
        touch(root / f"book/records/quick/audio_score-{method}-seed1.json")
        touch(root / f"book/results/quick/audio_score-{method}-seed1.ipynb")
    for part in ("cca", "layer", "precision"):
        touch(root / f"book/results/gradient_{part}.ipynb")
    touch(root / "book/_generated/theory-figures.done")
    for name, row in QUICK.items():
        touch(root / f"runs/built/quick-{name}")
        for data, trained in ((name, row["methods"]), (f"{name}-mirrored", row.get("mirrored", []))):
            for method in trained:
                touch(root / f"book/results/quick/{name}-{method}.ipynb")
                for seed in row["seeds"]["quick"]:
                    touch(root / f"book/records/quick/{data}-{method}-seed{seed}.json")
    touch(root / "book/results/quick/emoji-neighborhoods.ipynb")
    for name in ("emoji", "emoji-sym"):
        touch(root / f"book/records/quick/{name}-neighborhoods-seed1.json")
    for mark in ("book/_generated/report.done", "_build/explorer.done", "_build/site.done"):
        touch(root / mark)


# Looking for plug-ins among all packages is a quarter of a dry run: it is done before the forks.
PREPARED = """
import snakemake.cli, snakemake.report, smart_open
snakemake.cli.get_argument_parser()
"""


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    """Where snakemake has been imported, with its plug-ins and what it imports late."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "snakemake_prepared.py").write_text(PREPARED)
    with Forks(tmp_path_factory.mktemp("said"), "snakemake_prepared", PYTHONPATH=str(folder)) as forks:
        yield forks


def said(forks, copy, *arguments):
    """What snakemake says that it would do for these arguments in the copy."""
    environment = os.environ | {"XDG_CACHE_HOME": str(copy / "cache"), "XMLIB_DATA": str(copy / "data")}
    command = ["-m", "snakemake", "--cores", "2", "--nolock", "--dry-run", *arguments]
    done = forks.run(*command, cwd=copy, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def planned(forks, copy):
    """How often each rule would run for these targets."""
    rule = r"share|pairs|linear|\w+_runs?|features|neighborhoods|gradient|theory|report|explorer|site"
    return lambda *targets: {
        name: int(n) for name, n in re.findall(rf"^({rule})\s+(\d+)$", said(forks, copy, *targets), re.M)
    }


def test_a_fresh_clone_runs_all_that_is_quick_and_only_the_long_ones_that_are_missing(planned):
    assert planned("book") == EVERYTHING | PAGES
    assert planned("openclipart") == {"openclipart_runs": 5, "openclipart_mirrored_runs": 1}
    assert planned("icons") == {"icons_runs": 6}
    assert planned("heads") == {
        "head_runs": 2 * (2 * 2 + 2) * 2
    }  # data × (ranking on heads × ways + InfoNCE) × dropout
    assert planned("dial") == {"dial_runs": 2 * 4 + 1}
    assert planned("ablation") == {"ablation_runs": 2 * len(CONFIGURATIONS)}
    assert planned("medium") == LONG
    assert planned("full") == {"long_run": 9}


def test_pairs_in_shares_are_rendered_by_as_many_jobs_and_joined_by_one(planned):
    assert planned("runs/built/full", "--config", "shares=4") == {"share": 4, "pairs": 1}
    assert planned("runs/built/full") == {"pairs": 1}


def test_nothing_is_made_again_when_nothing_has_changed_and_only_pages_when_prose_or_tables_have(copy, planned):
    built(copy)
    assert planned("book") == {}
    (copy / "book/index.md").write_text("changed")
    assert planned("book") == {"site": 1}
    for name in ("book/make/results/image_text.py", "xmlib/retriever/choice.py"):
        built(copy)
        (copy / name).write_text("changed")
        assert planned("book") == PAGES
    (copy / "book/make/write.py").write_text("changed")
    assert planned("book") == DRAWN | PAGES


@pytest.mark.parametrize(
    "name",
    [
        "book/records/full/openclipart-ccal_nce-seed1.json",
        "book/records/equivalent.json",
        "benchmarks/records/angular.json",
    ],
)
def test_a_new_record_makes_the_pages_again(copy, planned, name):
    built(copy)
    touch(copy / name)
    assert planned("book") == PAGES


@pytest.mark.parametrize(
    ("edited", "rerun"),
    [
        ("notebooks/audio_score.ipynb", {"short_run": 3}),
        ("notebooks/image_text.ipynb", IMAGES),
        ("notebooks/neighborhoods.ipynb", {"neighborhoods": 1}),
        ("notebooks/gradient_layer.ipynb", {"gradient": 1}),
        ("book/reported.yml", SHOWING),
        ("xmlib/show/matplotlibrc", SHOWING | DRAWN),
    ],
)
def test_an_edit_to_what_a_page_shows_reruns_the_runs_that_depend_on_it_and_no_long_one(copy, planned, edited, rerun):
    built(copy)
    os.utime(copy / edited, (4e9, 4e9))
    (copy / edited).write_text((copy / edited).read_text() + " ")
    assert planned("quick", "medium") == rerun | LONG


def test_another_sentence_of_a_table_makes_the_pages_again(copy, planned):
    built(copy)
    (copy / "book/make/templates/results/neighborhoods_short.md").write_text("changed")
    assert planned("book") == {"report": 1, "site": 1}


def test_a_missing_record_of_the_ablation_reruns_its_configuration_alone(copy, planned):
    names = [f"{data}{name}" for data in ("emoji", "openclipart") for name in CONFIGURATIONS]
    for name in names:
        for seed in range(1, 6):
            touch(copy / f"book/records/full/{name}-neighborhoods-seed{seed}.json")
    assert planned("ablation") == {}
    (copy / "book/records/full/emoji-img_released-neighborhoods-seed3.json").unlink()
    assert planned("ablation") == {"ablation_runs": 1}


CONFIGURED = {
    "emoji-tfidf-sym": "-p text_encoder tfidf -p sym 1 -p img 0 -p text 0 -p released False",
    "openclipart-tfidf": "-p text_encoder tfidf -p sym 1 -p img 0.3 -p text 0.2 -p released False",
    "emoji-img_released": "-p text_encoder words -p sym 0 -p img 0.3 -p text 0 -p released True",
    "emoji": "-p text_encoder words -p sym 1 -p img 0.3 -p text 0.2 -p released False",
}
VARIANT = "medium/audio_score-augmented-ccal_cont-seed2"
DIALLED = "full/icons-pairs_2000-complementary_0.25-sym-neighborhoods-seed4"
OPTIONS = {
    "full/openclipart-directions_2-dropout_0.5-ccal_cont-seed3": {"directions": 2, "dropout": 0.5},
    "full/emoji-dropout_0.0-learned_nce-seed10": {"dropout": 0.0},
    "medium/audio_score-one_way-learned_cont-seed1": {"directions": 1},
}


@pytest.fixture(scope="module")
def commands(forks, tmp_path_factory):
    """What would be run for each of the records above, all asked for at once."""
    copy = fresh(tmp_path_factory.mktemp("named") / "a copy")
    names = [f"full/{name}-neighborhoods-seed1" for name in CONFIGURED] + [VARIANT, DIALLED, *OPTIONS]
    files = [f"book/records/{name}.json" for name in names]
    jobs = said(forks, copy, "--printshellcmds", "--rerun-triggers", "mtime", "--", *files).split("\n\n[")
    own = [[job for job in jobs if f"Missing output files: {file}\n" in job] for file in files]
    return {name: command for name, (command,) in zip(names, own, strict=True)}


@pytest.mark.parametrize("name", CONFIGURED)
def test_the_name_of_a_record_decides_what_is_trained(commands, name):
    command = commands[f"full/{name}-neighborhoods-seed1"]
    assert f"-p dataset {name.split('-')[0]} -p seeds 5 {CONFIGURED[name]} -p ablation ''" in command


@pytest.mark.parametrize(
    ("edited", "made"),
    [
        ("xmlib/fit.py", EVERYTHING),
        ("xmlib/neighborhoods/angular.py", {"neighborhoods": 1}),
        ("xmlib/data/emoji/emoji_concepts.py", {"features": len(QUICK), **IMAGES, "neighborhoods": 1}),
        ("xmlib/data/audio_score/engrave.py", {"pairs": 1, "linear": 1, "short_run": 3}),
        ("book/derivations/routes.py", {"gradient": 3, **DRAWN}),
        ("xmlib/scoring/intervals.py", EVERYTHING),
        ("book/make/theory/losses.py", DRAWN),
        ("book/make/templates/theory/noise.md", DRAWN),
        ("book/make/templates/pieces.md", DRAWN),
        ("book/make/results/tables.py", {}),
        ("xmlib/retriever/choice.py", {}),
    ],
)
def test_an_edit_makes_again_what_depends_on_its_folder_and_no_long_run(copy, planned, edited, made):
    built(copy)
    (copy / edited).write_text((copy / edited).read_text() + "\n")
    assert planned("quick", "medium") == made | LONG


@pytest.mark.parametrize(
    ("command", "row", "profile"),
    [("medium", "audio_score", "medium"), ("openclipart", "openclipart", "full"), ("icons", "icons", "full")]
    + [(name, name, "full") for name in ("heads", "dial")]
    + [("ablation", "neighborhoods", "full")],
)
def test_the_page_of_the_commands_says_how_many_seeds_the_grid_has(command, row, profile):
    page = (paths.ROOT / "book" / "reproducibility.md").read_text(encoding="utf-8")
    (said,) = re.findall(rf"^\| `make {command}` \|.*?(\w+) seeds", page, re.M)
    assert {"five": 5, "ten": 10}[said] == len(GRID[row]["seeds"][profile])


def test_a_variant_changes_its_parameters_alone(commands):
    command = commands[VARIANT]
    assert "-p profile medium" in command
    assert f"-p method ccal_cont -p seed 2 -p record book/records/{VARIANT}.json" in command
    assert "-p variant augmented -p augment 1 -p renderings 4" in command


def test_the_name_of_a_record_of_the_dial_decides_its_pairs(commands):
    command = commands[DIALLED]
    assert "-p ablation sym -p seeds 10 -p dataset icons -p complementary 0.25 -y" in command
    assert "train_pairs: 2000" in command


@pytest.mark.parametrize("name", OPTIONS)
def test_the_name_of_a_record_decides_which_options_are_given(commands, name):
    given = re.search(r"-y ('[^']*'|\S+)", commands[name])[1]
    assert yaml.safe_load(given.strip("'")) == {"options": OPTIONS[name]}


def test_the_terms_of_the_grid_are_those_of_the_study():
    terms = GRID["neighborhoods"]["terms"]
    assert set(terms) == set(study.TERMS)
    for name, kept in study.TERMS.items():
        assert [weight > 0 for weight in terms[name]] == [term in kept for term in ("sym", "img", "text")]


@pytest.mark.parametrize("row", ["audio_score", *QUICK])
def test_every_method_that_make_book_trains_has_a_page(row):
    pages = (paths.ROOT / "book/_toc.yml").read_text(encoding="utf-8")
    trained = GRID[row]["methods"] + GRID[row].get("mirrored", [])
    assert [m for m in trained if f"results/{row}-{m}\n" not in pages] == []
    assert set(trained) <= set(methods.METHODS)
