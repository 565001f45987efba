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
# # Sheet music and its sound
#
# Someone plays a few notes. Which page are they on? Here two networks learn to place a snippet of sheet music and an
# excerpt of audio in one space, so that matching ones are close. Retrieval is then a search for the nearest
# neighbours.
#
# One notebook serves all methods; the parameter `method` chooses. The task is that of {cite}`dorfer2018end`.

# %% tags=["parameters"]
method: str = "ccal_cont"  # ccal_tno, learned_cont or ccal_cont
profile: str = "quick"  # toy (seconds), quick (minutes), medium (an hour), full (the released networks)
seed: int = 1  # of the initial weights and of the order of the pairs
epochs: int = 0  # limit on the epochs; 0: the profile's own
width: float = 0.0  # scales the released 24/48/96/96 filters; 0: the profile's own
batch: int = 0  # pairs in a batch, more than d; 0: the profile's own
d: int = 0  # size of the embedding; 0: the profile's own
device: str = "auto"  # auto, cpu or cuda
precision: str = "float32"  # of the convolutions: float32; on a GPU also tf32 or bfloat16, faster and less exact
threads: int = 1  # of the processor; other numbers of threads change the last digits
corpus: str = "tunes"  # tunes: folk tunes on one staff; chorales: Bach's, four voices on two staves
difficulty: str = "hard"  # hard: tempo varies, test instrument never trained on; easy: neither
train_pairs: int = 0  # how many pairs to train on; 0: the profile's own
renderings: int = 0  # how often each training tune is played, on other instruments; 0: once
augment: float = -1.0  # strength of the changes of training pairs, 1: the authors', 0: none; -1: the profile's own
variant: str = ""  # a word for what differs from the profile, which goes into the name of the record
dataset_file: str = ""  # path of the original audio_sheet_music.npz, used instead of the built pairs
record: str = ""  # file or folder for the record; empty: runs/records
options: dict = {  # settings to vary one at a time, as in papermill -y "options: {margin: 0.7}"
    "directions": 0,  # of the ranking loss: 1 or 2; 0: the method's own
    "margin": -1.0,  # of the ranking loss; this and the next, below 0: the profile's own
    "alpha": -1.0,  # weight of the newest batch in the statistics of the CCA layer
    "weight_tno": -1.0,  # of the trace norm in ccal_tno; the rest goes to the ranking loss
    "refit_n": -1,  # training pairs that the head is refitted on after an epoch; 0: all
}

# %% tags=["hide-input"]
from dataclasses import asdict

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from tqdm import tqdm

from book.show import audio_figures, curves, drawings, units
from xmlib import data, evaluate, fit, methods, paths, profiles
from xmlib.runs import experiments, records
from xmlib.runs.parameters import checked, varied
from xmlib.scoring import baselines, intervals
from xmlib.show import figures

# Every parameter as what it is declared to be, or one sentence on what is wrong, before anything is built.
parameters = checked("audio_score", globals(), method=methods.AUDIO_METHODS)
globals().update(parameters)
chosen = methods.METHODS[method]
settings = profiles.settings(
    profile, epochs=epochs, width=width, batch=batch, d=d, precision=precision, augment=augment,
    **varied(parameters),
)  # fmt: skip
on_device = methods.device(device, precision)
torch.set_num_threads(threads)
drawings.use_style()
pd.options.display.max_colwidth = None  # sources are long
Markdown(f"**This run**: {chosen.title}, profile `{profile}`, seed {seed}. {chosen.does}")

# %% [markdown]
# ## The pairs
#
# The pairs are cut from folk tunes or chorales (`corpus`), engraved and synthesised here. A pair belongs to one note: the snippet
# has its notehead in the middle, the spectrogram excerpt its onset. In the hard setting the tempo differs from tune to
# tune, and the test tunes sound on an instrument that training has never heard. Related tunes are always in the same split.

# %%
splits = data.load(
    "audio_score", profile=profile, corpus=corpus, difficulty=difficulty, train_pairs=train_pairs,
    renderings=renderings, dataset_file=dataset_file,
)  # fmt: skip
pd.DataFrame(
    [
        {"split": name, "pairs": len(split), "groups of tunes": len(set(split.groups))}
        for name, split in (("train", splits.train), ("valid", splits.valid), ("test", splits.test))
    ]
).set_index("split")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-pairs", "caption": "Four training pairs: above the snippet, below the excerpt of its sound. The green lines mark the note and its onset."}}
audio_figures.pair_examples(splits.train, np.linspace(0, len(splits.train) - 1, 4).astype(int))
plt.show()

# %% [markdown]
# Training can change every pair anew in every epoch. With `renderings` above 1 the tunes of training are played
# again, on other instruments of training and in other tempi, and one of these is chosen each time. With
# `augment` at 1 the onset comes a frame early or late, the staff lies up to 5 pixels higher or lower, and the picture
# is up to 5 % larger or smaller. Validation, test and the pairs that the head is refitted on never change.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-changes", "caption": "A training pair as it is, and four times as training would see it. The green lines stay where the note and its onset were."}}
if splits.train.augmentation is not None:  # pairs of the original file come without the scores they were cut from
    drawn = splits.train.augmentation.draw(4, np.random.default_rng(seed), settings.augment or 1.0)
    audio_figures.changed_examples(splits.train, len(splits.train) // 3, drawn)
    plt.show()

# %% [markdown]
# ## The model
#
# Each view has its own convolutional encoder. The head brings both outputs into one space and scales them to unit
# length, so that the score of a snippet and an excerpt is their cosine.

# %%
model = methods.build(method, settings, seed)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-model", "caption": "The two encoders and the head."}}
audio_figures.model_diagram(model, (splits.train.view1.shape, splits.train.view2.shape), method)
plt.show()

# %% tags=["hide-input"]
pd.Series({name: str(value) for name, value in asdict(settings).items()}, name="value").to_frame()

# %% [markdown]
# ## Training
#
# After every epoch the head is refitted on training pairs (`refit_n` of them, 0 means all), and validation is scored.
# Training stops when the validation MRR has not been matched for `patience` epochs. The best state is then loaded again,
# the rate lowered, and training goes on with less patience. Quick and medium runs end before that, with a rate that
# falls to 0. In the end the best state is kept, its head refitted on all training pairs.
#
# A checkpoint after each epoch (every few seconds, if epochs are shorter) lets an interrupted run continue.

# %%
checkpoint = records.checkpoint_path(splits, method, settings, seed, on_device)
with tqdm(desc=f"{method}, epochs", unit=" epochs", mininterval=5) as bar:

    def show(row: dict) -> None:
        bar.set_postfix(loss=f"{row['loss']:.3f}", valid=f"{row['valid_mrr']:.3f}", phase=row["phase"], refresh=False)
        bar.update()

    training = fit.fit(model, splits, method, settings, seed, on_device, checkpoint, show)

# %% [markdown]
# ## Scores
#
# Every test snippet queries all test excerpts, and every excerpt all snippets. Chance and linear CCA on principal
# components of the raw pixels and bands are given too; the settings of linear CCA are chosen on validation.

# %%
linear = baselines.linear_cca(splits)
result, x, y = experiments.scored("audio_score", parameters, splits, settings, training, linear, variant)
usual = paths.RUNS / "records" / f"{checkpoint.parent.name}.json"
saved = records.save(result, experiments.place(result, record) if record else usual)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-curve", "caption": "MRR after each epoch, sheet → audio, among the validation pairs and among a fixed random training subset of the same size."}}
curves.learning_curve([result])
plt.show()

# %% tags=["hide-input"]
ended = {
    "patience": "",
    "schedule": "The run went to the end of its plan, where the rate is 0. ",
    "epochs": "This run **did not converge**: the limit on its epochs ended it, not its patience. ",
}
Markdown(
    f"{ended[result['stopped']]}The best of {len(training.history)} epochs on validation was epoch {result['best_epoch']}, "
    f"with an MRR of {result['valid_mrr']:.3f}. Training took {training.seconds / 60:.1f} minutes on "
    f"{threads} thread{'s' if threads > 1 else ''} of {result['machine']['processor']} ({result['machine']['device']})."
)

# %% tags=["hide-input"]
audio_figures.results_table(result).style.format(precision=2).format("{:.3f}", subset=["MRR"])

# %% [markdown]
# R@k is the share of queries, in per cent, whose right answer is among the first k. The 95 % interval is of the MRR,
# from a bootstrap over groups of tunes. It says nothing of other seeds.

# %% tags=["hide-input"]
difference = {}
for direction, arrow in evaluate.DIRECTIONS.items():
    own, other = (evaluate.recorded_reciprocal_ranks(s, direction) for s in (result, linear))
    interval = intervals.paired_interval(own, other, groups=splits.test.groups)
    difference[arrow] = units.with_interval(own.mean() - other.mean(), interval, signed=True)
Markdown(
    "Gain in MRR over linear CCA on the same queries, with a 95 % interval: "
    + "; ".join(f"{k} {v}" for k, v in difference.items())
    + "."
)

# %% [markdown]
# The authors report these numbers on their own pairs, with other candidates: the order of the methods can be compared,
# the numbers cannot.

# %% tags=["hide-input"]
pd.DataFrame(
    [
        {
            "method": figures.METHOD_NAMES[entry["method"]],
            "pairs": entry["data"],
            "split": entry["split"],
            "MRR, sheet → audio": f"{'≈ ' if entry['approximate'] else ''}{entry['metrics']['mrr']:.3f}",
            "source": entry["source"],
        }
        for entry in records.reported("audio_score")
    ]
).set_index("method")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-ranks", "caption": "Share of test snippets whose excerpt is among the first k."}}
audio_figures.rank_distribution([result])
plt.show()

# %% [markdown]
# ## What it finds
#
# Four queries: one found at once, one nearly found, a typical failure and the worst. The first column is the
# query above the excerpt that it should find. Beside it are the five best excerpts, each below the snippet that it
# belongs to. A green frame marks the right one.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-retrieved", "caption": "Test snippets and the five best excerpts for each."}}
queries, expected = curves.telling_queries(result["ranks"]["view1_to_view2"])
found = (x[queries] @ y.T).topk(5).indices.cpu()
audio_figures.retrieved(splits.test, queries, found, expected)
plt.show()

# %% [markdown]
# ## What differs from the paper
#
# The paper's own recordings and scores are not used unless `dataset_file` names the released file. The networks are
# narrower than the released ones in all profiles but `full`. The head ends up fitted to all training pairs, and the
# learned map is centred by the training mean. The deviations page lists every other difference.
