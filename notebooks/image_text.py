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
# # Pictures and words
#
# Someone writes what they look for. Which picture is it? And the other way round: which words describe this picture?
#
# The networks do not see pixels and letters. A picture arrives as the features of a network that was trained to name
# photographs, a text as the weights of its words. What is learned is which of them match. The task is the
# second of {cite}`dorfer2018end`; one notebook serves all its methods and data sets.

# %% tags=["parameters"]
method: str = "ccal_cont"  # ccal_tno, learned_cont, ccal_cont, learned_nce, ccal_nce or linear_nce
dataset: str = "emoji"  # emoji, openclipart, icons or iapr
profile: str = "quick"  # toy (seconds, for tests), quick, medium or full, which are the same here
seed: int = 1  # the first; of the initial weights and of the order of the pairs
seeds: int = 5  # how many runs, with seed, seed + 1, …
split: str = "grouped"  # grouped, random (near duplicates torn apart) or zero_shot (whole classes held out)
style: str = "openmoji"  # of the emoji: openmoji or twemoji
test_style: str = ""  # of the test pictures, if another
collections: str = ""  # of the icons: whose drawings to train on, as "tabler lucide"; empty: all
test_collections: str = ""  # of the icons: whose to test on, if others
train_pairs: int = 0  # of the icons: how many to train on, drawn from all; 0: all
mirrored: bool = False  # train on every picture once more, mirrored left to right
shuffled: bool = False  # give every training picture another one's text: scores must fall to chance
complementary: float = 0.0  # share of the pairs whose picture is another one's of the same class
comparisons: str = "splits"  # train once more on others: splits (same pictures), all, or some by name, as zero_shot
epochs: int = 0  # limit on the epochs; 0: the profile's own
width: float = 0.0  # scales the released 1,024 hidden units; 0: the profile's own
batch: int = 0  # pairs in a batch, more than d; 0: the profile's own
d: int = 0  # size of the embedding; 0: the profile's own
device: str = "auto"  # auto, cpu or cuda
threads: int = 1  # of the processor; other numbers of threads change the last digits
dataset_file: str = ""  # path of the original iapr.npz
record: str = ""  # folder for the records, one a seed; empty: runs/records
options: dict = {  # what differs between methods, to be set alike, as in papermill -y "options: {dropout: 0.5}"
    "directions": 0,  # of the ranking loss: 1 or 2; 0: the method's own
    "dropout": -1.0,  # share of picture features and of words left out in training; below 0: the method's own
}

# %% tags=["hide-input"]
from dataclasses import asdict

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from book.show import curves, drawings, picture_figures, summaries
from xmlib import data, evaluate, methods, profiles
from xmlib.runs import experiments
from xmlib.runs.parameters import checked, varied
from xmlib.scoring import refit

# Every parameter as what it is declared to be, or one sentence on what is wrong, before anything is built.
asked = checked("image_text", globals(), method=methods.IMAGE_METHODS, dataset=data.of_notebook("image_text"))
globals().update(asked)
parameters = asked | {"seeds": 1, "comparisons": ""}  # of each run
chosen, others = methods.METHODS[method], experiments.variants(dataset, comparisons)
settings = profiles.settings(profile, dataset, method, epochs=epochs, width=width, batch=batch, d=d, **varied(asked))
on_device = methods.device(device)
torch.set_num_threads(threads)
drawings.use_style()
Markdown(
    f"**This run**: {chosen.title}, data set `{dataset}`, profile `{profile}`, seeds {seed} to {seed + seeds - 1}. "
    f"{chosen.does}"
)

# %% [markdown]
# ## The pairs
#
# Near duplicates form groups, and a group lies in one split. The gallery of every query is the whole test set. A data
# set that holds features alone, such as `iapr`, has no pictures and texts to look at; the figures of them are left out.

# %%
splits = data.asked(parameters)
summaries.sizes(splits)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-pictures", "caption": "Eight training pairs: the picture and its text."}}
to_look_at = splits.test.pictures is not None
if to_look_at:
    picture_figures.examples(splits.train, np.linspace(0, len(splits.train) - 1, 8).astype(int))
    plt.show()

# %% tags=["hide-input"]
train1, train2 = splits.train.view1, splits.train.view2
words = (train2[np.arange(len(splits.train))] > 0).sum(1)
Markdown(
    f"A picture is {train1.shape[0]:,} numbers. A text is {train2.shape[0]:,} numbers, one a word of the training texts, "
    f"nearly all of them 0: {np.median(words):.0f} words of a training text are known (median)."
)

# %% [markdown]
# ## The model
#
# As released: one linear layer for the picture features, two hidden layers for the words. (With linear maps from CCA both
# are one linear layer.) The size of the embedding and of the batch are scaled to the number of pairs.

# %% tags=["hide-input"]
pd.Series({name: str(value) for name, value in asdict(settings).items()}, name="value").to_frame()

# %% [markdown]
# ## Training
#
# A run takes seconds, so there are several, which differ in their seed alone. Each follows the released schedule:
# when the validation MRR has not been matched for `patience` epochs, the best state is loaded again and the rate
# lowered, `refinements` times. Each leaves a record.

# %%
runs = [
    experiments.run("image_text", parameters | {"seed": seed + i}, splits, settings, on_device) for i in range(seeds)
]
found = [run.record for run in runs]

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-picture-curve", "caption": "MRR after each epoch, image → text, among the validation pairs and among a fixed random training subset of the same size. One line a seed."}}
curves.learning_curve(found)
plt.show()

# %% tags=["hide-input"]
ended = [len(r["history"]) for r in found]
seconds = np.mean([r["wall_seconds"] for r in found])
converged = "all ended by their patience" if all(r["converged"] for r in found) else "**not all converged**"
Markdown(f"The runs took {min(ended)} to {max(ended)} epochs, {seconds:.0f} s on average; {converged}.")

# %% [markdown]
# ## Scores
#
# Every test picture queries all test texts, and every text all pictures. Beside the method stand chance, and linear
# CCA on the same features, its settings chosen on validation.

# %% tags=["hide-input"]
summaries.scores(found).style.format(precision=2).format("{:.3f}", subset=["MRR"])

# %% tags=["hide-input"]
Markdown(summaries.gain(found))

# %% [markdown]
# R@k is the share of queries, in per cent, whose right answer is among the first k. All numbers are means over the
# seeds. The interval is of the MRR, over groups of queries and over seeds. In mAP every candidate of
# the query's class is a right answer, not its own partner alone. In the last column any near twin of the partner is: a
# drawing of the same thing in a variant.
#
# ## Hubs
#
# Some candidates are near to everything and fill the lists of many queries. The skewness of the k-occurrence
# measures that. The corrections use the training queries, not the test queries, to find such hubs and lower their
# scores.

# %% tags=["hide-input"]
summaries.corrections(found).style.format(precision=2).format("{:.3f}", subset=["MRR"])

# %% [markdown]
# ## How many pairs does the head need?
#
# The means and projections of the head can be estimated again on any number of training pairs, without touching the
# encoders. The paper's code has a tool for that. Linear maps from CCA have no such head: their line is flat.

# %%
first = runs[0]
needed = settings.d + 1
sizes = sorted({int(n) for n in np.geomspace(2 * needed, len(splits.train), 6)})
curve = refit.refit_curve(first.model, splits, sizes, seed=seed, device=on_device)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-refit", "caption": "Validation MRR of the first run after its head was estimated again on n training pairs; a dot a draw of pairs."}}
picture_figures.refit_curve(curve, evaluate.direction_names(dataset))
plt.show()

# %% [markdown]
# ## What it finds
#
# Four texts and the five best pictures for each, then four pictures and the five best texts for each. A green frame
# marks the right answer. The four are one found at once, one nearly found, a typical failure and the worst.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-text-picture", "caption": "Texts, and the five best pictures for each."}}
if to_look_at:
    queries, ranks = curves.telling_queries(first.record["ranks"]["view2_to_view1"])
    best = (first.y[queries] @ first.x.T).topk(5).indices.cpu()
    picture_figures.found_pictures(splits.test, queries, best, ranks)
    plt.show()

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-picture-text", "caption": "Pictures, and the five best texts for each."}}
if to_look_at:
    queries, ranks = curves.telling_queries(first.record["ranks"]["view1_to_view2"])
    best = (first.x[queries] @ first.y.T).topk(5).indices.cpu()
    picture_figures.found_texts(splits.test, queries, best, ranks)
    plt.show()

# %% [markdown]
# ## Where it fails
#
# The classes with the most queries, by how well their pictures are found. A text may be hard because its words were
# rare in training or unknown, or because its class has many members that differ in a detail.

# %% tags=["hide-input"]
summaries.by_class(splits.test, found)

# %% tags=["hide-input"]
summaries.by_known_words(splits.test, found)

# %% [markdown]
# ## Other splits, other styles
#
# The same method, once more, with one thing changed. *Zero-shot* holds whole classes out of training. *Random* tears
# near duplicates apart and so flatters every method. *Shuffled* gives every training picture another one's text, and
# must end at chance. Where there are two styles of drawing, `comparisons=all` draws the test pictures in the other one,
# or all; of the icons it trains on fewer pairs, and on those of other hands.

# %% tags=["hide-input"]
compared = {"as above": found}
for name, changed in others.items():
    other = parameters | changed
    run = experiments.run("image_text", other, data.asked(other), settings, on_device)
    compared[name] = [run.record]
summaries.compare(compared).style.format(precision=2).format("{:.3f}", subset=["MRR", "linear CCA, MRR"])

# %% [markdown]
# ## What differs from the paper
#
# The paper's own pictures are photographs with captions of whole sentences; they are used only with `dataset_file`.
# There are fewer drawings, so the embedding, the batch and the hidden layers are smaller for them. The means and
# projections are refitted on all training pairs. The deviations page lists every other difference.
