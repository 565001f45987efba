# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own pairs
#
# You have two descriptions of the same things: pictures and captions, scans and recordings, two kinds of measurements.
# Can one find the other?
#
# This notebook reads and checks your pairs, trains the methods that fit into the time you give, recommends one, and
# saves a model in a folder. The page {doc}`/your_pairs` says which files are read. Without any, it takes the two halves
# of handwritten digits.

# %% tags=["parameters"]
view1: str = ""  # a file of an array (.npy, .npz, .mat, .parquet), a .txt with one text per line, or a folder of files
view2: str = ""  # its partner; empty where view1 holds both
table: str = ""  # instead of the two: a spreadsheet (.csv, .tsv), .jsonl or .parquet
key1: str = ""  # array or column of view 1; x* is all columns that begin with x; empty: found
key2: str = ""  # array or column of view 2
missing: str = "stop"  # pairs that lack something: stop, or skip, which names them
method: str = "auto"  # auto for all that fit into the time, or one, such as linear_nce
minutes: float = 10.0  # for training at most
seed: int = 1  # of the split, the initial weights and the order of the pairs
device: str = "auto"  # auto, cpu or cuda
threads: int = 1  # of the processor; other numbers of threads change the last digits
model: str = ""  # folder for the model; empty: runs/your_pairs
record: str = ""  # file for all numbers of this run, NAME.json; empty: beside the model
options: dict = {  # seldom needed; those given take the place of these, as in papermill -y "options: {decimal: ','}"
    "kind1": "",  # of view 1: numbers, texts, images or audio; empty: found
    "kind2": "",  # of view 2
    "pixels": 0,  # side of small grey pictures for a network of their own; 0: pretrained features of images
    "id_column": "",  # names of the pairs; empty: a column that is called id, or the numbers of the rows
    "group_column": "",  # equal values stay in one split; empty: a column that is called group, or none
    "label_column": "",  # classes, for the mean average precision; empty: a column that is called label, or none
    "split_column": "",  # train, valid or test; empty: a column that is called split, or drawn
    "folder": "",  # where the paths in a table begin; empty: the folder of the table
    "encoding": "",  # of a spreadsheet; empty: found
    "separator": "",  # of its columns; empty: found
    "decimal": "",  # its decimal sign, a point or a comma; empty: found
    "test_share": 0.2,  # of the pairs, where no split is given
    "valid_share": 0.1,  # likewise
    "epochs": 0,  # limit on the epochs; 0: until patience ends
    "batch": 0,  # pairs in a batch; 0: what suits the number of pairs
    "d": 0,  # size of the embedding; 0: what suits the pairs
}

# %% tags=["hide-input"]
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
from IPython.display import HTML, Markdown

from book.show import curves, own_pairs
from xmlib import methods, paths
from xmlib.data.own import pairs, sides
from xmlib.data.own.ready import ready
from xmlib.data.pictures.preparation import Images
from xmlib.files import write_text
from xmlib.retriever import choice
from xmlib.retriever.folder import check_place
from xmlib.runs.parameters import checked
from xmlib.scoring import health
from xmlib.show import figures

# Every parameter as what it is declared to be, or one sentence on what is wrong, before anything is read.
parameters = checked(
    "your_pairs", globals(), method=("auto", *choice.ORDER), missing=("stop", "skip"), kind1=("", *sides.KINDS),
    kind2=("", *sides.KINDS), decimal=("", ".", ","),
)  # fmt: skip
globals().update(parameters)
on_device = methods.device(device)
torch.set_num_threads(threads)
figures.use_style()
place = Path(model or paths.RUNS / "your_pairs").expanduser()
check_place(place)

# %% [markdown]
# ## What was read
#
# All of this was guessed from the files. The parameters above override each guess.

# %%
if view1 or view2 or table:
    found = pairs.read(view1, view2, table, **{name: parameters[name] for name in pairs.OPTIONS})
else:
    found = pairs.example()

# %% tags=["hide-input"]
HTML(own_pairs.examples(found, np.linspace(0, len(found) - 1, min(6, len(found))).astype(int)))

# %% [markdown]
# ## Is it healthy?
#
# Before anything is trained: are there enough pairs, do test items also occur in training, and does a linear method
# find a signal?

# %%
shares = {name: parameters[name] for name in ("test_share", "valid_share")}
small = Images(parameters["pixels"]) if parameters["pixels"] else None
views = (found.view1, found.view2)
data = ready(found, seed, **shares, preparations=tuple(small if view.kind == "images" else None for view in views))
checkup = health.report(data)
Markdown(checkup.markdown())

# %% tags=["hide-input"]
checkup.left_out.style.format(escape="html").hide(axis="index") if len(checkup.left_out) else Markdown(
    "No pair was left out."
)

# %% [markdown]
# ## Training
#
# Each method gets an equal share of the time that is left; what it does not need goes to the next. Validation chooses
# the epoch and then the method.

# %%
asked = choice.ORDER if method == "auto" else (method,)
changes = {name: parameters[name] for name in ("epochs", "batch", "d") if parameters[name]}
done = choice.trials(data, minutes, asked, seed, on_device.type, **changes)
best = choice.best(done)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-your-curve", "caption": "MRR after each epoch, view 1 → view 2, among the validation pairs and among as many training pairs. A wide gap between the two is overfitting."}}
trained = [trial for trial in done if trial.retriever.about["history"]]
if trained:
    ax = curves.learning_curve([own_pairs.curve(trial, seed) for trial in trained])
    ax.set(ylabel="MRR, view 1 → view 2")
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1, 1))
    plt.show()

# %% [markdown]
# ## Scores
#
# Every test item of one view queries all test items of the other. R@k is the percentage of queries whose partner is
# among the first k. The 95 % interval of the MRR is over groups of queries.

# %% tags=["hide-input"]
scores = choice.table(done, data)
scores.T.style.format(precision=3, na_rep="")

# %% [markdown]
# ## What it finds
#
# Four queries and their first five answers: one found at once, one nearly found, a typical failure and the worst. A
# green frame marks the right answer.

# %% tags=["hide-input"]
test_rows = data.rows["test"]


def shown(direction: str) -> HTML:
    queries, ranks = curves.telling_queries(best.test["ranks"][direction])
    answers = own_pairs.answers(best, data, direction, queries)
    same = data.files[1] if data.files else None
    back = direction != "view1_to_view2"
    return HTML(own_pairs.found(found, test_rows[queries], test_rows[answers], ranks, back, same))


shown("view1_to_view2")

# %% tags=["hide-input"]
shown("view2_to_view1")

# %% [markdown]
# ## Hubs
#
# Some items, the hubs, are near to everything and appear among the answers to many queries. *Hubness* is the skewness of
# how often an item is among the ten best. The corrections estimate hubs from training queries. Where the gain has an
# interval above 0, give `bank` to `Retriever.index`.

# %% tags=["hide-input"]
own_pairs.hubs(best, data).style.format(precision=2).format("{:.3f}", subset=["MRR"])

# %% [markdown]
# ## Recommendation

# %% tags=["hide-input"]
words = choice.recommendation(done, data.splits.test.groups)
Markdown(words)

# %%
choice.keep(best, data, place)
kept = own_pairs.summary(parameters, found, checkup, done, words)
target = Path(record).expanduser() if record else place.with_name(f"{place.name}.json")
write_text(target / "your_pairs.json" if target.is_dir() else target, json.dumps(kept, indent=1, ensure_ascii=False))
size = sum(file.stat().st_size for file in place.rglob("*")) / 1e6
Markdown(f"The model is in `{place}` ({size:.1f} MB), all numbers are in `{target}`.")

# %% [markdown]
# ## Use it
#
# The folder holds the model, the preparation of new items, and an index of all items that were read. Using it needs no
# notebook.

# %%
from xmlib.retriever import Retriever

again = Retriever.load(place)
query = found.view1.items[int(test_rows[0])]
answers = zip(*again.search(query, 5, "view1_to_view2"), strict=True)
print(f"{found.ids[int(test_rows[0])]} finds", ", ".join(f"{name} ({score:.2f})" for name, score in answers))
