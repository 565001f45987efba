# The grid: notebook × method × seed, one papermill run each, and the book made of them. `make book` (or medium, or full)
# calls it by scripts/grid.py, which says what is being made; `snakemake --cores 2 quick` does the same without.
# Restartable twice over: finished runs are kept, and an interrupted one goes on from its checkpoint.

import os
import shlex
import sys

import yaml

from xmlib.data.workers import KEEP_MEMORY
from xmlib.paths import DATA

GRID = yaml.safe_load(Path("notebooks/grid.yml").read_text(encoding="utf-8"))
AUDIO_SCORE, NEIGHBORHOOD_RUNS = GRID["audio_score"], GRID["neighborhoods"]
IMAGE_ROWS = {name: row for name, row in GRID.items() if row["notebook"] == "image_text" and "methods" in row}
HEADS, DIAL = GRID["heads"], GRID["dial"]
VARIANTS = AUDIO_SCORE["variants"]
RECORD = "book/records/{profile}/audio_score-{method}-seed{seed}.json"
VARIANT_RECORD = "book/records/medium/audio_score-{variant}-{method}-seed{seed}.json"
NOTEBOOK = "book/results/{profile}/audio_score-{method}-seed{seed}.ipynb"
IMAGE_RECORD = "book/records/{profile}/{dataset}-{method}-seed{seed}.json"
HEAD_RECORD = "book/records/full/{dataset}-{changed}-{method}-seed{seed}.json"
IMAGE_NOTEBOOK = "book/results/{profile}/{dataset}-{method}.ipynb"
NEIGHBORHOOD_NOTEBOOK = "book/results/{profile}/{dataset}-neighborhoods.ipynb"
GRADIENT_NOTEBOOK = "book/results/gradient_{part}.ipynb"
GRADIENT_PARTS = ["cca", "layer", "precision"]
SVG_FOLDER = "-p svg_folder book/_generated"
TERMS = NEIGHBORHOOD_RUNS["terms"]
CONFIGURATIONS = ["", *(name for name in TERMS if name != "all"), *(f"{name}_released" for name in TERMS)]  # "": all
CONFIGURATIONS += ["tfidf", *(f"tfidf-{name}" for name in TERMS if name != "all")]  # with the other text encoder


def code(*folders):
    """The modules of these folders."""
    return sorted(str(path) for folder in folders for path in Path(folder).glob("*.py"))


def templates(folder):
    """What the pages say around the numbers, by the step that fills them in, and the pieces that all steps share."""
    whole = Path("book/make/templates")
    return sorted(str(path) for path in (*whole.glob("*.md"), *(whole / folder).glob("*.md")))


CORE = code("xmlib")
RUN = [*CORE, *code("xmlib/data", "xmlib/runs", "xmlib/scoring", "xmlib/show", "book/show")]
AUDIO = [*RUN, *code("xmlib/data/audio_score")]
PICTURES = [*RUN, *code(*(str(path) for path in Path("xmlib/data").iterdir() if path.name not in ("audio_score", "own")))]
NEIGHBORHOODS = [*PICTURES, *code("xmlib/neighborhoods")]
LIBRARY = sorted({*AUDIO, *NEIGHBORHOODS, *code("xmlib/retriever")})  # what tables and pages are made with
SHOWN = ["xmlib/show/matplotlibrc", "book/reported.yml", "requirements.lock"]  # what else a notebook's page depends on

# One thread a run: runs side by side use the cores better than threads, and the numbers do not depend on the load.
PAPERMILL = (
    "mkdir -p $(dirname {params.notebook}) && "
    f"{' '.join(f'{name}={value}' for name, value in KEEP_MEMORY.items())} "
    "OMP_NUM_THREADS={threads} MKL_NUM_THREADS={threads} OPENBLAS_NUM_THREADS={threads} "
    f"{shlex.quote(sys.executable)} -m papermill --no-progress-bar --log-output {{input.notebook}} {{params.notebook}} "
    "-p profile {wildcards.profile} -p threads {threads} "
)
COMMAND = PAPERMILL + (
    "-p method {wildcards.method} -p seed {wildcards.seed} -p record {params.record:q} > {log} 2>&1"
)
VARIANT_COMMAND = COMMAND.replace("{wildcards.profile}", "{params.profile}").replace(
    " > {log}", " -p variant {wildcards.variant} {params.changed} > {log}"
)
IMAGE_COMMAND = PAPERMILL + (
    "-p method {wildcards.method} -p dataset {params.dataset} -p seeds {params.seeds} -p comparisons {params.comparisons} "
    "-p mirrored {params.mirrored} -p record book/records > {log} 2>&1"
)
HEAD_COMMAND = PAPERMILL.replace("{wildcards.profile}", "full") + (
    "-p method {wildcards.method} -p dataset {wildcards.dataset} -p comparisons '' -p seeds {params.seeds} "
    "{params.changed} -p record book/records > {log} 2>&1"
)
NEIGHBORHOOD_COMMAND = PAPERMILL + (
    "-p dataset {params.dataset} -p seeds {params.seeds} {params.more} -p record book/records > {log} 2>&1"
)
DIAL_COMMAND = PAPERMILL + (
    f"-p ablation {DIAL['ablation']} -p seeds {{params.seeds}} {{params.changed}} -p record book/records > {{log}} 2>&1"
)


def records(profile):
    return expand(RECORD, profile=profile, method=AUDIO_SCORE["methods"], seed=AUDIO_SCORE["seeds"][profile])


def variant_records():
    found = []
    for name, row in VARIANTS.items():
        methods = row.get("methods", AUDIO_SCORE["methods"])
        found += expand(VARIANT_RECORD, variant=name, method=methods, seed=AUDIO_SCORE["seeds"]["variants"])
    return found


def given(changed):
    """Parameters on the command line."""
    plain = [f"-p {name} {value}" for name, value in changed.items() if name != "options"]
    options = [f"-y {shlex.quote(yaml.safe_dump({'options': changed['options']}))}"] if "options" in changed else []
    return " ".join(plain + options)


def heads():
    """(name of what is changed, method) → options, of every combination of head, loss, its directions and dropout."""
    found = {}
    for method, directions in HEADS["directions"].items():
        for count in directions:
            for dropout in HEADS["dropout"]:
                options = ({"directions": count} if count else {}) | {"dropout": dropout}
                found["-".join(f"{name}_{value}" for name, value in options.items()), method] = options
    return found


def head_records():
    return [
        path
        for changed, method in heads()
        for path in expand(HEAD_RECORD, dataset=HEADS["datasets"], changed=changed, method=method, seed=HEADS["seeds"]["full"])
    ]


def image_records(dataset):
    row = GRID[dataset]
    ((profile, seeds),) = row["seeds"].items()
    plain = expand(IMAGE_RECORD, profile=profile, dataset=dataset, method=row["methods"], seed=seeds)
    mirrored = expand(
        IMAGE_RECORD, profile=profile, dataset=f"{dataset}-mirrored", method=row.get("mirrored", []), seed=seeds
    )
    return plain + mirrored


def comparisons(dataset):
    """What a method is trained on besides, as a parameter on the command line."""
    asked = GRID[dataset].get("comparisons", {})
    return lambda wildcards: shlex.quote(asked.get(wildcards.method, asked.get("default", "")))


def image_notebook(dataset):
    return lambda wildcards: IMAGE_NOTEBOOK.format(dataset=dataset, profile=wildcards.profile, method=wildcards.method)


def ablation_records(dataset):
    names = [f"{dataset}-{name}" if name else dataset for name in CONFIGURATIONS]
    return expand(IMAGE_RECORD, profile="full", dataset=names, method="neighborhoods", seed=NEIGHBORHOOD_RUNS["seeds"]["full"])


def dial_records():
    names = [f"{d}-complementary_{share}" for d in DIAL["datasets"] for share in DIAL["complementary"]]
    names += [d for d in DIAL["datasets"] if d not in NEIGHBORHOOD_RUNS["datasets"]]  # none of them, not of the ablation
    names += [f"{name}-{DIAL['ablation']}" for name in names]
    return expand(IMAGE_RECORD, profile="full", dataset=names, method="neighborhoods", seed=DIAL["seeds"]["full"])


def dialled(wildcards):
    """The parameters that a name such as icons-pairs_2000-complementary_0.5 stands for."""
    name, *changed = wildcards.data.split("-")
    values = dict(part.split("_") for part in changed)
    parameters = {"dataset": name, "complementary": values.get("complementary", 0.0)}
    return given(parameters | ({"options": {"train_pairs": int(values["pairs"])}} if "pairs" in values else {}))


rule book:
    input: "_build/site.done"

rule quick:
    input:
        records("quick"), "runs/built/quick-linear",
        [image_records(name) for name, row in IMAGE_ROWS.items() if "quick" in row["seeds"]],
        expand(GRADIENT_NOTEBOOK, part=GRADIENT_PARTS),
        expand(NEIGHBORHOOD_NOTEBOOK, profile="quick", dataset="emoji"), "book/_generated/theory-figures.done",

rule toy:
    input: records("toy"), "runs/built/toy-linear"

# Hours long and committed, so only those that are missing; `xm records list` says which are of old code.
rule medium:
    input: [path for path in records("medium") + variant_records() if not Path(path).exists()]

rule full:
    input: [path for path in records("full") if not Path(path).exists()]

rule openclipart:
    input: [path for path in image_records("openclipart") if not Path(path).exists()]

rule icons:
    input: [path for path in image_records("icons") if not Path(path).exists()]

rule heads:
    input: [path for path in head_records() if not Path(path).exists()]

rule dial:
    input: [path for path in dial_records() if not Path(path).exists()]

rule ablation:
    input: [path for d in NEIGHBORHOOD_RUNS["datasets"] for path in ablation_records(d) if not Path(path).exists()]

# With --config shares=N the tunes of the pairs are rendered by N jobs, and the build that follows joins what they left.
SHARES = int(config.get("shares", 1))

rule share:
    input: AUDIO
    output: touch("runs/built/{profile}-share_{share}_of_{shares}")
    message: "Share {wildcards.share} of {wildcards.shares} of the tunes, profile {wildcards.profile}"
    log: "runs/logs/{profile}/share_{share}_of_{shares}.log"
    wildcard_constraints: profile="toy|quick|medium|full", share="[0-9]+", shares="[0-9]+"
    threads: 1
    priority: 3
    shell:
        f"{shlex.quote(sys.executable)} -m xmlib data share --profile {{wildcards.profile}} "
        "--share {wildcards.share} --of {wildcards.shares} > {log} 2>&1"

# The data set is built once, before the runs that share it.
rule pairs:
    input:
        AUDIO,
        [f"runs/built/{{profile}}-share_{share}_of_{SHARES}" for share in range(SHARES) if SHARES > 1],
    output: touch("runs/built/{profile}")
    message: "Pairs of sheet music and sound, profile {wildcards.profile}"
    log: "runs/logs/{profile}/pairs.log"
    wildcard_constraints: profile="toy|quick|medium|full"
    threads: workflow.cores
    priority: 3  # first of all: it wants every core at once, and the longest runs wait for it
    shell: f"{shlex.quote(sys.executable)} -m xmlib data audio_score --profile {{wildcards.profile}} > {{log}} 2>&1"

# Linear CCA before the runs, which all show it.
rule linear:
    input: AUDIO, pairs="runs/built/{profile}"
    output: touch("runs/built/{profile}-linear")
    message: "Linear CCA, profile {wildcards.profile}"
    log: "runs/logs/{profile}/linear.log"
    priority: 3  # or the first runs would each compute it
    shell: f"{shlex.quote(sys.executable)} -m xmlib prepare audio_score --profile {{wildcards.profile}} > {{log}} 2>&1"

# Made again whenever the notebook or the code has changed.
rule short_run:
    message: "Training {wildcards.method}, profile {wildcards.profile}, seed {wildcards.seed}"
    input: notebook="notebooks/audio_score.ipynb", code=AUDIO, shown=SHOWN, pairs="runs/built/{profile}"
    output: record=RECORD, notebook=NOTEBOOK
    params: record=lambda w, output: output.record, notebook=lambda w, output: output.notebook
    log: "runs/logs/{profile}/{method}-seed{seed}.log"
    wildcard_constraints: profile="toy|quick"
    threads: 1
    priority: 2  # the longest ones first, so that no core is left with one of them in the end
    shell: COMMAND

ruleorder: variant_run > long_run

rule variant_run:
    message: "Training {wildcards.method}, profile medium, {wildcards.variant}, seed {wildcards.seed}"
    input: notebook=ancient("notebooks/audio_score.ipynb")
    output: record=VARIANT_RECORD
    params:
        profile="medium",
        record=lambda w, output: output.record,
        notebook=lambda w: f"book/results/medium/audio_score-{w.variant}-{w.method}-seed{w.seed}.ipynb",
        changed=lambda w: given(VARIANTS[w.variant]["change"]),
    log: "runs/logs/medium/{variant}-{method}-seed{seed}.log"
    wildcard_constraints: variant="|".join(VARIANTS), method="[a-z_]+"
    threads: 1
    shell: VARIANT_COMMAND

rule long_run:
    message: "Training {wildcards.method}, profile {wildcards.profile}, seed {wildcards.seed}"
    input: notebook=ancient("notebooks/audio_score.ipynb")
    output: record=RECORD
    params: record=lambda w, output: output.record, notebook=lambda w: NOTEBOOK.format(**w)
    log: "runs/logs/{profile}/{method}-seed{seed}.log"
    wildcard_constraints: profile="medium|full", method="|".join(AUDIO_SCORE["methods"])
    threads: 1
    shell: COMMAND

# Features of pictures once, before the runs that share them.
rule features:
    input: PICTURES
    output: touch("runs/built/{profile}-{dataset}")
    message: "Features of {wildcards.dataset}, profile {wildcards.profile}"
    log: "runs/logs/{profile}/{dataset}.log"
    wildcard_constraints: profile="toy|quick", dataset="|".join(IMAGE_ROWS)
    priority: 1  # before the short jobs without a profile, which fill the core that the last run leaves
    shell: f"{shlex.quote(sys.executable)} -m xmlib prepare {{wildcards.dataset}} --profile {{wildcards.profile}} > {{log}} 2>&1"

# One notebook trains all seeds. Those of the profile quick are made again whenever notebook or code has changed.
for dataset, row in IMAGE_ROWS.items():
    ((profile, seeds),) = row["seeds"].items()
    short = profile == "quick"
    for mirrored in (False, True) if "mirrored" in row else (False,):
        rule:
            name: f"{dataset}_mirrored_runs" if mirrored else f"{dataset}_runs"
            message: f"Training {{wildcards.method}} on {dataset}, all seeds"
            input:
                notebook="notebooks/image_text.ipynb" if short else ancient("notebooks/image_text.ipynb"),
                **(dict(code=PICTURES, shown=SHOWN, built=f"runs/built/{{profile}}-{dataset}") if short else {}),
            output:
                records=expand(
                    IMAGE_RECORD, dataset=f"{dataset}-mirrored" if mirrored else dataset, seed=seeds, allow_missing=True
                ),
                **(dict(notebook=IMAGE_NOTEBOOK.replace("{dataset}", dataset)) if short else {}),
            params:
                dataset=dataset,
                notebook=image_notebook(dataset),
                seeds=len(seeds),
                comparisons=comparisons(dataset),
                mirrored=mirrored,
            log: f"runs/logs/{{profile}}/{dataset}-{{method}}.log"
            wildcard_constraints:
                profile="toy|quick" if short else profile,
                method="|".join(row["mirrored" if mirrored else "methods"]),
            threads: 1
            priority: int(short)
            shell: IMAGE_COMMAND

rule head_runs:
    message: "Training {wildcards.method} on {wildcards.dataset}, {wildcards.changed}, all seeds"
    input: notebook=ancient("notebooks/image_text.ipynb")
    output: records=expand(HEAD_RECORD, seed=HEADS["seeds"]["full"], allow_missing=True)
    params:
        notebook=lambda w: f"book/results/full/{w.dataset}-{w.changed}-{w.method}.ipynb",
        seeds=len(HEADS["seeds"]["full"]),
        changed=lambda w: given({"options": heads()[w.changed, w.method]}),
    log: "runs/logs/full/{dataset}-{changed}-{method}.log"
    wildcard_constraints: dataset="|".join(HEADS["datasets"]), changed="|".join({name for name, _ in heads()}), method="|".join(HEADS["directions"])
    threads: 1
    shell: HEAD_COMMAND

rule neighborhoods:
    message: "Training with neighbourhoods on emoji"
    input: notebook="notebooks/neighborhoods.ipynb", code=NEIGHBORHOODS, shown=SHOWN, built="runs/built/{profile}-emoji"
    output:
        notebook=NEIGHBORHOOD_NOTEBOOK.replace("{dataset}", "emoji"),
        records=expand(
            IMAGE_RECORD, dataset=["emoji", "emoji-sym"], method="neighborhoods", seed=1, allow_missing=True,
        ),
    params:
        dataset="emoji",
        notebook=lambda w, output: output.notebook,
        seeds=1,
        more=" ".join(f"-p {name} {value}" for name, value in NEIGHBORHOOD_RUNS["look"].items()),
    log: "runs/logs/{profile}/emoji-neighborhoods.log"
    wildcard_constraints: profile="toy|quick"
    threads: 1
    priority: 1
    shell: NEIGHBORHOOD_COMMAND

def configuration(wildcards):
    """The parameters that a configuration of the ablation stands for, from a name such as emoji-tfidf-sym."""
    parts = wildcards.data.split("-")[1:]
    encoder = "tfidf" if "tfidf" in parts else "words"
    name = next((part for part in parts if part != encoder), "all")
    sym, img, text = TERMS[name.removesuffix("_released")]
    released = name.endswith("_released")
    return f"-p text_encoder {encoder} -p sym {sym} -p img {img} -p text {text} -p released {released} -p ablation ''"


rule ablation_runs:
    message: "Ablation of the terms, {wildcards.data}"
    input: notebook=ancient("notebooks/neighborhoods.ipynb")
    output: records=expand(IMAGE_RECORD, dataset="{data}", method="neighborhoods", seed=NEIGHBORHOOD_RUNS["seeds"]["full"], allow_missing=True)
    params:
        dataset=lambda w: w.data.partition("-")[0],
        notebook=lambda w: NEIGHBORHOOD_NOTEBOOK.format(profile=w.profile, dataset=w.data),
        seeds=len(NEIGHBORHOOD_RUNS["seeds"]["full"]),
        more=configuration,
    log: "runs/logs/{profile}/{data}-neighborhoods.log"
    wildcard_constraints: profile="full", data="(emoji|openclipart)(-[a-z_]+)*"
    threads: 1
    shell: NEIGHBORHOOD_COMMAND

rule dial_runs:
    message: "Neighbourhoods with and without their terms, {wildcards.data}"
    input: notebook=ancient("notebooks/neighborhoods.ipynb")
    output:
        records=expand(
            IMAGE_RECORD, dataset=["{data}", f"{{data}}-{DIAL['ablation']}"], method="neighborhoods",
            seed=DIAL["seeds"]["full"], allow_missing=True,
        ),
    params:
        notebook=lambda w: NEIGHBORHOOD_NOTEBOOK.format(profile=w.profile, dataset=w.data),
        seeds=len(DIAL["seeds"]["full"]),
        changed=dialled,
    log: "runs/logs/{profile}/{data}-neighborhoods.log"
    wildcard_constraints: profile="full", data="openclipart-complementary_[0-9.]+|icons-pairs_[0-9]+(-complementary_[0-9.]+)?"
    threads: 1
    shell: DIAL_COMMAND

# The derivations of the book, checked by numbers, and the figures of the chapters.
rule gradient:
    input: "notebooks/gradient_{part}.ipynb", RUN, code("book/derivations"), SHOWN
    output: GRADIENT_NOTEBOOK
    message: "Checking the derivations by numbers, notebook gradient_{wildcards.part}"
    params: figures=lambda w: "" if w.part == "layer" else SVG_FOLDER  # that notebook has none
    log: "runs/logs/gradient_{part}.log"
    wildcard_constraints: part="|".join(GRADIENT_PARTS)
    threads: 1
    shell:
        f"{shlex.quote(sys.executable)} -m papermill --no-progress-bar {{input[0]}} {{output}} "
        "{params.figures} > {log} 2>&1"

rule theory:
    input:
        CORE, code("book/derivations", "book/show", "xmlib/scoring", "xmlib/show", "book/make", "book/make/theory"), templates("theory"),
        "xmlib/show/matplotlibrc", "requirements.lock",
    output: touch("book/_generated/theory-figures.done")
    message: "Figures of the theory chapters"
    log: "runs/logs/theory.log"
    threads: 1
    shell: f"{shlex.quote(sys.executable)} -m book.make.theory.figures > {{log}} 2>&1"

# The book. What these steps leave is listed by scripts/grid.py, which removes their marks where a file of it has gone.
def built_sets(wildcards):
    """The data sets that are built on this machine, which the pages and the explorer show."""
    return sorted(str(manifest.parent.relative_to(DATA)) for manifest in DATA.glob("*/*/manifest.json"))


def committed(wildcards):
    """Records and weights that came with the repository or from long runs, and records of the benchmarks."""
    found = [*Path("book/records").glob("*/*"), *Path("book/records").glob("*.json"), *Path("benchmarks/records").glob("*.json")]
    return sorted(str(path) for path in found if path.parent.name not in ("quick", "toy") and not path.name.startswith(".part-"))


rule report:
    input:
        rules.quick.input, committed, LIBRARY, code("book/make", "book/make/results"), templates("results"), SHOWN,
        "book/asked.md", "CITATION.cff",
    output: touch("book/_generated/report.done")
    message: "Tables and figures of the records"
    params: sets=built_sets
    log: "runs/logs/report.log"
    shell: f"{shlex.quote(sys.executable)} -m book.make > {{log}} 2>&1"

rule explorer:
    input: rules.quick.input, committed, LIBRARY, code("book/make", "book/make/results", "book/make/explorer"), "requirements.lock",
        "xmlib/show/explorer.css", "xmlib/show/explorer.js",
    output: touch("_build/explorer.done")
    message: "Pictures and sounds of the explorer"
    params: sets=built_sets
    log: "runs/logs/explorer.log"
    shell: f"{shlex.quote(sys.executable)} -m book.make.explorer > {{log}} 2>&1"

rule site:
    input:
        "_config.yml", "requirements.lock", "THIRD_PARTY.md", "book/_generated/report.done", "_build/explorer.done", code("book/make"),
        sorted(str(path) for folder in ("book", "book/assets", "book/theme/static") for path in Path(folder).glob("*.*")),
    output: touch("_build/site.done")
    message: "Pages of the site"
    log: "runs/logs/site.log"
    shell:
        # Sphinx copies style sheets and scripts only where a page is out of date: so the first one always is.
        f"{shlex.quote(sys.executable)} -m book.make.vendor > {{log}} 2>&1 && rm -f _build/html/index.html && "
        f"{shlex.quote(os.path.join(os.path.dirname(sys.executable), 'jupyter-book'))} build book --config _config.yml "
        "--path-output . -W -n --keep-going --quiet >> {log} 2>&1"
