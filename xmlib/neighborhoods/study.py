"""Semantic neighbourhoods on a data set: what its training texts say, the model, one run with its record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xmlib import data, evaluate, fit
from xmlib.data import Split, Splits, View
from xmlib.encoders import mlp_encoder
from xmlib.errors import InputError
from xmlib.methods import METHODS
from xmlib.model import TwoView
from xmlib.neighborhoods import neighbors, text
from xmlib.neighborhoods.neighbors import Neighbors
from xmlib.neighborhoods.pixel_encoders import WEIGHTS, PixelEncoder, RandomMirror, ResNetEncoder, resized, weights_file
from xmlib.neighborhoods.scalars import Scalars
from xmlib.neighborhoods.text_encoders import HIDDEN, Vocabulary, WordEncoder, init_projection
from xmlib.neighborhoods.training import NeighborhoodObjective, reduce_on_plateau
from xmlib.profiles import Settings, choose
from xmlib.runs import experiments, records
from xmlib.runs.experiments import Run
from xmlib.scoring import baselines, relevance

SIDES = {"pixels": 64, "resnet50": 224}  # of the pictures that an image encoder sees
IMAGE_ENCODERS = ("features", *SIDES)
TEXT_ENCODERS = ("words", "tfidf")
PARTS = ("train", "valid", "test")
TERMS = {  # configuration of the ablation → the terms that keep their weights; the others get 0
    "none": (),
    "sym": ("sym",),
    "img": ("img",),
    "text": ("text",),
    "all": ("sym", "img", "text"),
}
RELEASED = "_released"  # ends the name of a configuration with the released loss
CONFIGURATIONS = (*TERMS, *(name + RELEASED for name in TERMS))
COHERENCE_K = 10
POOL = 5  # candidates in a pool
FOLDS = 5  # of 1,000 images: the usual protocol on COCO's 5,000 test images


@dataclass(frozen=True)
class TextSpace:
    """What the training texts of a data set say of each other, and the pairs with word numbers as their second view.

    `splits`: view 2 holds word numbers (n, L); training pairs whose text has no word are left out, `left_out` of them.
    `weighed`: the same pairs with the tf-idf weights that they came with.
    `word_vectors`: (words, size), of Doc2Vec. `vectors`: the inferred vectors (n, size) of each part. `near`: the
    neighbours of every training pair. `searched`: what a record says of them, with the recall of HNSW.
    """

    splits: Splits
    weighed: Splits
    word_vectors: np.ndarray
    vectors: dict[str, np.ndarray]
    near: Neighbors
    searched: dict[str, Any]
    left_out: int


def text_space(splits: Splits, seed: int = 1, index: str = "auto", empty: str = "stop", k: int = 0) -> TextSpace:
    """Doc2Vec on the training texts alone, the vectors it infers for all texts, and each training pair's neighbours.

    `index`: as in `neighbors.nearest`; HNSW is asked as well, so that its recall is known. `empty`: "stop" or "skip"
    where a training text has no word left after cleaning. `k`: neighbours of each, 0 for 200 or as many as there are.
    Raises `InputError` for pairs without texts, and as `text.cleaned`, `text.doc2vec` and `neighbors.nearest` do.
    """
    choose("choice for empty", empty, ("stop", "skip"))
    if splits.train.texts is None:
        raise InputError(
            f"The data set {splits.name!r} has no texts, and neighbourhoods are made of texts: take another."
        )
    said = {part: [text.words(line) for line in getattr(splits, part).texts] for part in PARTS}
    kept = np.array([bool(found) for found in said["train"]])
    if empty == "stop" and not kept.all():
        text.cleaned(splits.train.texts, splits.train.ids)  # says which
    said["train"] = [found for found in said["train"] if found]
    model = text.doc2vec(said["train"], seed)
    vectors = {part: text.infer(model, said[part], seed) for part in PARTS}
    near = neighbors.nearest(vectors["train"], k or None, index)
    graph = near if near.index == "hnsw" else neighbors.nearest(vectors["train"], k or None, "hnsw")
    vocabulary = Vocabulary(tuple(model.wv.index_to_key))
    length = max(vocabulary.tokens(said[part]).shape[1] for part in PARTS)
    tokens = {part: vocabulary.tokens(said[part], length) for part in PARTS}
    digest = _digest(splits.digest, *tokens.values(), model.wv.vectors, near.indices)
    weighed = replace(splits, digest=_digest(digest + "tfidf"), train=_rows(splits.train, np.flatnonzero(kept)))
    numbered = {part: replace(getattr(weighed, part), view2=_view(tokens[part])) for part in PARTS}
    return TextSpace(
        replace(splits, digest=digest, **numbered),
        weighed,
        model.wv.vectors.copy(),
        vectors,
        near,
        neighbors.summary(near)
        | {"hnsw_recall10": graph.recall, "hnsw_recall_k": graph.recall_k}
        | {f"unknown_{part}": int((~text.known(model, said[part])).sum()) for part in PARTS},
        int((~kept).sum()),
    )


def _rows(split: Split, rows: np.ndarray) -> Split:
    """Some of the rows of a split."""

    def part(view: View) -> View:
        return View(len(rows), view.shape, lambda chosen: view[rows[chosen]])

    return replace(
        split,
        view1=part(split.view1),
        view2=part(split.view2),
        ids=[split.ids[i] for i in rows],
        groups=split.groups[rows],
        labels=None if split.labels is None else split.labels[rows],
        texts=None if split.texts is None else [split.texts[i] for i in rows],
        pictures=None if split.pictures is None else data.Pictures(split.pictures.images, split.pictures.rows[rows]),
        image_of_text=None if split.image_of_text is None else split.image_of_text[rows],
    )


def _view(array: np.ndarray) -> View:
    return View(len(array), array.shape[1:], lambda chosen: array[chosen])


def _digest(digest: str, *arrays: np.ndarray) -> str:
    whole = hashlib.sha256(digest.encode())
    for array in arrays:
        whole.update(np.ascontiguousarray(array).data)
    return whole.hexdigest()


def seen(space: TextSpace, image_encoder: str = "features", text_encoder: str = "words", weights: str = "") -> Splits:
    """The pairs as the two encoders see them: word numbers or tf-idf weights, and features or pixels.

    Arguments as in `build` and `with_pixels`.
    """
    words = choose("text encoder", text_encoder, TEXT_ENCODERS) == "words"
    return with_pixels(space.splits if words else space.weighed, image_encoder, weights)


def with_pixels(splits: Splits, image_encoder: str, weights: str = "") -> Splits:
    """The same pairs with what an image encoder sees as view 1: the features as they are, or pixels (n, 3, h, h).

    The pixels are those of the pictures kept to be looked at, scaled to 64 (`pixels`) or 224 (`resnet50`) a side.
    `weights`: of ResNet-50, as in `build`; they belong to the digest, so that no run is continued with others.
    """
    if choose("image encoder", image_encoder, IMAGE_ENCODERS) == "features":
        return splits
    side = SIDES[image_encoder]
    train, valid, test = (_pixels(getattr(splits, part), side) for part in PARTS)
    return replace(
        splits,
        digest=_digest(splits.digest + image_encoder + _content(image_encoder, weights)),
        train=train,
        valid=valid,
        test=test,
    )


def _content(image_encoder: str, weights: str) -> str:
    if image_encoder != "resnet50":
        return ""
    return hashlib.sha256(weights_file(Path(weights or WEIGHTS)).read_bytes()).hexdigest()


def _pixels(split: Split, side: int) -> Split:
    if split.pictures is None:
        raise InputError("These pairs have features of pictures but no pictures: choose the image encoder 'features'.")
    pictures = split.pictures
    return replace(split, view1=View(len(split), (3, side, side), lambda chosen: resized(pictures[chosen], side)))


def build(
    method: str, s: Settings, seed: int, space: TextSpace, image_encoder: str = "features",
    text_encoder: str = "words", weights: str = "",
) -> TwoView:  # fmt: skip
    """The untrained model: an image encoder, a text encoder, the method's head.

    `image_encoder`: `features` (a linear map of the features), `pixels` (a small network from scratch) or `resnet50`
    (fine-tuned; `weights`: torchvision's file, or empty for the usual folder). `text_encoder`: `words` (the released
    one, a GRU over Doc2Vec's word vectors) or `tfidf` (two hidden layers, as other methods have). The same
    seed gives the same encoders with any head.
    """
    choose("image encoder", image_encoder, IMAGE_ENCODERS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder2: nn.Module
        if choose("text encoder", text_encoder, TEXT_ENCODERS) == "tfidf":
            encoder2 = mlp_encoder(space.weighed.train.view2.shape[0], s.d, s.width, s.dropout)
        else:
            encoder2 = WordEncoder(space.word_vectors, s.d, hidden=max(8, round(HIDDEN * s.width)))
        encoder1: nn.Module
        if image_encoder == "pixels":
            encoder1 = PixelEncoder(s.d)
        elif image_encoder == "resnet50":
            encoder1 = nn.Sequential(RandomMirror(), ResNetEncoder(weights, s.d) if weights else ResNetEncoder(d=s.d))
        else:
            projection = init_projection(nn.Linear(space.splits.train.view1.shape[0], s.d))
            encoder1 = nn.Sequential(nn.Dropout(s.dropout), projection)
        return TwoView(encoder1, encoder2, METHODS[method].head(s))


def configurations(asked: str, released: bool = False) -> tuple[str, ...]:
    """The configurations of the ablation that are named in `asked`, with spaces between; `all` names every one.

    `released`: names without a form of the loss mean the released one. Raises `InputError` for an unknown name.
    """
    if asked == "all":
        return CONFIGURATIONS
    names = (name + RELEASED if released and name in TERMS else name for name in asked.split())
    return tuple(choose("configuration", name, CONFIGURATIONS) for name in names)


def configured(configuration: str, weights: dict[str, float]) -> dict[str, Any]:
    """The settings `sym`, `img`, `text`, `released` of a configuration; `weights`: of the terms where they are on."""
    name = choose("configuration", configuration, CONFIGURATIONS).removesuffix(RELEASED)
    on = {term: weight if term in TERMS[name] else 0.0 for term, weight in weights.items()}
    return on | {"released": configuration.endswith(RELEASED)}


def variant(parameters: dict[str, Any], s: Settings) -> str:
    """The name of a run beside its data set and method: its configuration (empty: all terms, intended), its split, …"""
    weights = {term: getattr(Settings(), term) for term in TERMS["all"]}
    own = {name: getattr(s, name) for name in (*weights, "released")}
    known = [name for name in CONFIGURATIONS if configured(name, weights) == own]
    loss = known[0] if known else "-".join(f"{name}_{value:g}" for name, value in own.items())
    image, words = parameters["image_encoder"], parameters["text_encoder"]
    encoders = ["" if image == "features" else image, "" if words == "words" else words]
    parts = [experiments.variant(parameters), *encoders, "" if loss == "all" else loss]
    return "-".join(filter(None, parts))


def run(notebook: str, parameters: dict, splits: Splits, space: TextSpace, s: Settings, device: torch.device) -> Run:
    """Train `parameters["method"]` with `parameters["seed"]`, or go on from its checkpoint, score it, write its record.

    `splits`: the pairs with tf-idf texts, for linear CCA; `space`: what `text_space` makes of them with the same seed.
    The terms of every epoch go to TensorBoard's files beside the checkpoint. The record goes where `experiments.run`
    would put it.
    """
    method, seed = parameters["method"], parameters["seed"]
    encoders = parameters["image_encoder"], parameters["text_encoder"], parameters["weights_file"]
    if not METHODS[choose("method", method, METHODS)].neighborhoods:
        known = ", ".join(name for name, row in METHODS.items() if row.neighborhoods)
        raise InputError(f"The method {method!r} does not train with neighbourhoods; choose one of {known}.")
    own = seen(space, *encoders)
    parameters, s = experiments.suited(parameters, own, s)
    fit.check_splits(own, s)
    model = build(method, s, seed, space, *encoders)
    checkpoint = records.checkpoint_path(own, method, s, seed, device)
    objective = NeighborhoodObjective(own, s, seed, device, space.near)
    training = fit.Training(model, own, objective, s, seed, device, reduce_on_plateau)
    with Scalars(checkpoint.parent / "tensorboard") as scalars:
        fit.run(training, checkpoint, lambda row: scalars.write(row["epoch"], scalars_of(row)))
    shown = replace(own, digest=splits.digest)  # that of the pairs, which other methods share
    linear = baselines.linear_cca(splits)
    record, x, y = experiments.scored(notebook, parameters, shown, s, training, linear, variant(parameters, s))
    record["neighbors"] = space.searched | {"left_out": space.left_out, "words": len(space.word_vectors)}
    record["coherence"] = coherences(splits.test, space.vectors["test"], x, y)
    record["pools"] = relevance.pool_accuracy(x, y, min(POOL, len(x)), splits.test.groups)
    if splits.test.image_of_text is not None:
        record["captions"] = captions(splits.test, x, y)
    return experiments.written(record, parameters["record"], model, x, y)


def scalars_of(row: dict) -> dict[str, float]:
    """Of a row of the history, the numbers that TensorBoard draws."""
    return {name: value for name, value in row.items() if name not in ("epoch", "phase", "seconds")}


def coherences(split: Split, vectors: np.ndarray, x: Tensor, y: Tensor, k: int = COHERENCE_K) -> dict[str, dict]:
    """Of every item's k nearest within one kind, the share that are neighbours in text space or have its label.

    `image_before`: by the features that the encoder starts from; `image`, `text`: by the embeddings `x`, `y`;
    `text_before`: by Doc2Vec's `vectors`, which define the neighbours in text space. See `relevance.coherence`.
    """
    k = min(k, len(split) - 2)
    near = neighbors.nearest(vectors, k, index="exact").indices
    features = torch.from_numpy(split.view1[np.arange(len(split))]).flatten(1).double()
    found = {"image_before": torch.nn.functional.normalize(features), "image": x, "text": y}
    result = {name: relevance.coherence(z, near, split.labels, k=k, groups=split.groups) for name, z in found.items()}
    result["text_before"] = {"text": 1.0}  # by definition
    if split.labels is not None:
        shares = (split.labels[near] == split.labels[:, None]).mean(1)
        interval = list(evaluate.bootstrap_interval(shares, split.groups))
        result["text_before"] |= {"label": float(shares.mean()), "label_interval": interval}
    return result


def captions(split: Split, x: Tensor, y: Tensor) -> dict[str, dict]:
    """Metrics with several texts a picture: over all pictures, and over five folds where there are 5,000 of them."""
    owner = split.image_of_text
    images = x[np.unique(owner, return_index=True)[1]]
    found = {"all": relevance.captions_both_ways(images, y, owner)}
    if len(images) == 1000 * FOLDS:
        found["folds"] = relevance.captions_both_ways(images, y, owner, FOLDS)
    return found
