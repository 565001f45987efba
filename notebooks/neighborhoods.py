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
# # Semantic neighbourhoods
#
# Two pictures may look nothing alike and still mean the same, as their texts show. Does retrieval get better when such
# pictures are kept near each other?
#
# This notebook finds the neighbours among the training texts, trains with the four terms of {cite}`thomas2020`, and
# takes the terms away again one by one. The page {doc}`/neighborhoods` has the formulas.

# %% tags=["parameters"]
method: str = "neighborhoods"  # neighborhoods, or ccal_neighborhoods for the same terms on top of the CCA layer
dataset: str = "emoji"  # emoji, openclipart, icons, or your own: table, coco, good_news, politics
profile: str = "quick"  # toy (seconds, for tests), quick, medium or full, which are the same here
seed: int = 1  # the first; of Doc2Vec, the initial weights and all draws
seeds: int = 1  # how many runs of each kind, with seed, seed + 1, …
sym: float = 1.0  # weight of the term in which texts query images
img: float = 0.3  # weight of the term that keeps neighbours' images near
text: float = 0.2  # weight of the term that keeps neighbours' texts near
released: bool = False  # the loss as the released code computes it, with its defects
ablation: str = "none sym"  # terms to train with instead: all is every choice, in both forms; empty is none
text_encoder: str = "words"  # words (a GRU over word vectors, as released) or tfidf (as the other methods have)
split: str = "grouped"  # grouped, random (near duplicates torn apart) or zero_shot (whole classes held out)
complementary: float = 0.0  # share of the pairs whose picture is another one's of the same class
epochs: int = 0  # limit on the epochs; 0: the profile's own
device: str = "auto"  # auto, cpu or cuda
threads: int = 1  # of the processor; other numbers of threads change the last digits
dataset_file: str = ""  # of your own data
record: str = ""  # folder for the records; empty: runs/records
options: dict = {  # seldom varied; those given take the place of these, as in papermill -y "options: {k: 50}"
    "image_encoder": "features",  # features (frozen), pixels (small, from scratch) or resnet50 (needs its weights)
    "weights_file": "",  # torchvision's resnet50-*.pth; empty: looked for in data/weights
    "index": "auto",  # of the search for neighbours: exact, hnsw, or auto for exact where it is as fast
    "k": 0,  # neighbours kept of each text; 0: 200, or as many as there are
    "empty": "skip",  # training texts without a word: skip leaves them out and counts them; or stop
    "style": "openmoji",  # of the emoji: openmoji or twemoji
    "test_style": "",  # of the test pictures, if another
    "train_pairs": 0,  # of the icons: how many to train on, drawn from all; 0: all
    "image_folder": "",  # where the pictures of your own data are; empty: beside the file
    "missing": "stop",  # pictures that are not there: stop, or skip
    "width": 0.0,  # scales the released GRU of 512; 0: the profile's own
    "batch": 0,  # pairs in a batch; 0: the profile's own
    "d": 0,  # size of the embedding; 0: the profile's own
}

# %% tags=["hide-input"]
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from book.show import drawings, neighborhood_figures
from book.show import neighborhood_summaries as summaries
from xmlib import data, methods, profiles
from xmlib.neighborhoods import study
from xmlib.runs.parameters import checked

# Every parameter as what it is declared to be, or one sentence on what is wrong, before anything is built.
asked = checked(
    "neighborhoods", globals(), method=methods.NEIGHBORHOODS, dataset=data.of_notebook("neighborhoods"),
    image_encoder=study.IMAGE_ENCODERS, text_encoder=study.TEXT_ENCODERS,
    index=("auto", "exact", "hnsw"), empty=("skip", "stop"), missing=("stop", "skip"),
)  # fmt: skip
globals().update(asked)
parameters = asked | {"seeds": 1, "ablation": ""}  # of each run
chosen = methods.METHODS[method]
settings = profiles.settings(
    profile, dataset, method, epochs=epochs, sym=sym, img=img, text=text, released=released,
    text_encoder=text_encoder, **{name: asked[name] for name in ("width", "batch", "d")},
)  # fmt: skip
configurations = study.configurations(ablation, released)
on_device = methods.device(device)
torch.set_num_threads(threads)
drawings.use_style()
Markdown(f"**This run**: {chosen.title}, data set `{dataset}`, profile `{profile}`, first seed {seed}. {chosen.does}")

# %% [markdown]
# ## Neighbours by text
#
# Doc2Vec learns from the training texts alone. Test and validation pairs were set aside before.

# %%
splits = data.asked(parameters)
spaces = [study.text_space(splits, seed + i, *(asked[name] for name in ("index", "empty", "k"))) for i in range(seeds)]
space = spaces[0]

# %% tags=["hide-input"]
found = space.searched
Markdown(
    f"{len(space.splits.train):,} training texts ({space.left_out} more had no word left), {len(space.word_vectors):,} "
    f"words known to Doc2Vec. Each text has {found['k']} neighbours, by {found['index']} search, which finds "
    f"{found['recall10']:.1%} of the 10 nearest. nmslib's HNSW graph finds {found['hnsw_recall10']:.1%} of the 10 and "
    f"{found['hnsw_recall_k']:.1%} of the {found['k']}. {found['unknown_train']} training and {found['unknown_test']} test "
    "texts have no word that Doc2Vec knows; the neighbours of such a text say nothing."
)

# %% [markdown]
# Five training pairs, and for each the five pairs whose texts are nearest. Near texts can belong to pictures that look
# quite different.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-neighbours", "caption": "Five training pairs in the first column, and the pictures and texts of the five nearest in text space."}}
some = np.linspace(0, len(space.splits.train) - 1, 7).astype(int)[1:-1]
neighborhood_figures.neighbours(space.splits.train, some, space.near)
plt.show()

# %% [markdown]
# ## Training
#
# The text encoder that reads word by word starts from Doc2Vec's word vectors. Each epoch draws one neighbour for every
# pair. The loss on the validation pairs decides when the rate falls, when the run ends and which epoch is kept.

# %% tags=["hide-input"]
pd.Series({name: str(value) for name, value in asdict(settings).items()}, name="value").to_frame()

# %%
runs = [
    study.run("neighborhoods", parameters | {"seed": seed + i}, splits, spaces[i], settings, on_device)
    for i in range(seeds)
]
first, made = runs[0], [run.record for run in runs]

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-terms", "caption": "The four terms before their weights, mean over the batches of an epoch, and the loss on the validation pairs, which is on another scale. A dot marks the epoch that is kept."}}
neighborhood_figures.terms(made)
plt.show()

# %% tags=["hide-input"]
ended = [len(r["history"]) for r in made]
state = "all ended by their patience" if all(r["converged"] for r in made) else "**not all converged**"
Markdown(
    f"{' to '.join(map(str, sorted({min(ended), max(ended)})))} epochs, {np.mean([r['wall_seconds'] for r in made]):.0f} s a run; {state}. "
    "`tensorboard --logdir runs` shows the same curves while a run goes on."
)

# %% [markdown]
# ## Scores
#
# Every test picture queries all test texts, and every text all pictures. Linear CCA sees the frozen picture
# features and tf-idf texts.

# %% tags=["hide-input"]
summaries.scores(made).style.format(precision=2).format("{:.3f}", subset=["MRR"])

# %% tags=["hide-input"]
Markdown(summaries.several_captions(made[0]) + summaries.pools(made))

# %% [markdown]
# ## Do neighbours stay neighbours?
#
# Take an item's ten nearest of its own kind. *Text* is the share of them that are also among the ten nearest in text
# space, and *label* the share of the same class. *Before* means the frozen picture features and Doc2Vec's vectors,
# whatever the encoders see. The latter define the text space, so their own share is 1. Where a picture has several
# texts, its own rows count among the ten.

# %% tags=["hide-input"]
summaries.coherence(made).style.format(precision=3)

# %% [markdown]
# ## One map of both kinds
#
# The test embeddings in two dimensions, by t-SNE on the distances between all of them.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-map", "caption": "Test pictures (dots) and texts (crosses); a line joins each pair. Colours are the seven largest classes."}}
neighborhood_figures.both_kinds(splits.test, first.x, first.y, seed)
plt.show()

# %% [markdown]
# ## Without the terms
#
# The same training, with only some of the terms. *none* keeps $L_{\text{i2t}}$ alone; *sym*, *img* and *text* add one term
# each. *released* means the released form of the loss.

# %%
plain = parameters | {"image_encoder": "features", "text_encoder": "words"}  # all below have the same encoders
compared = {study.variant(plain, settings) or "all": runs}
for name in configurations:
    own = study.configured(name, {"sym": sym, "img": img, "text": text})
    changed = replace(settings, **own)
    compared[name] = [
        study.run("neighborhoods", parameters | own | {"seed": seed + i}, splits, spaces[i], changed, on_device)
        for i in range(seeds)
    ]
ablated = {name: [run.record for run in several] for name, several in compared.items()}

# %% tags=["hide-input"]
summaries.ablation(ablated).style.format(precision=3).format("{:.1f}", subset=["R@10, both"])

# %% [markdown]
# ## Where the terms within one kind help, and where they hurt
#
# The text queries that gain most, and those that lose most, from the terms for neighbours. Above are the five best
# pictures with all terms. Below are those for the same query without the terms for neighbours. Chosen as extremes, they
# say nothing of the mean.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-gains", "caption": "The two text queries that gain most and the two that lose most. Each has two rows: with all terms, and without those for neighbours."}}
form = study.RELEASED if released else ""
without = next((compared[name + form][0] for name in ("sym", "none") if name + form in compared), None)
if without:
    neighborhood_figures.gains(splits.test, first, without)
    plt.show()

# %% [markdown]
# ## What differs from the paper
#
# The paper has hundreds of thousands of articles and fine-tunes ResNet-50. Here the image features are frozen unless
# `image_encoder` says otherwise, and the embedding, the GRU and the data are smaller. The validation pairs are drawn
# before Doc2Vec sees a text. The page {doc}`/deviations` lists the rest.
