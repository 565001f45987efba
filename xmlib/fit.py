"""Training: one visible loop, given an objective and a schedule; a checkpoint after every epoch, exact resume.

Epochs shorter than `SAVE_EVERY` share a checkpoint.
"""

import copy
import io
import math
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xmlib import evaluate
from xmlib.cca import NOTHING, DivergedError
from xmlib.data import Split, Splits, View
from xmlib.errors import InputError
from xmlib.files import write_bytes
from xmlib.methods import METHODS, Term
from xmlib.model import TwoView
from xmlib.profiles import Settings

EVAL_BATCH = 100  # pairs; of no consequence for the numbers but their last digits
SAVE_EVERY = 5.0  # seconds of training at least between two checkpoints: writing one takes as long as a short epoch


class Objective:
    """The loss that a step minimises: the weighted sum of a method's terms on a batch of pairs."""

    def __init__(self, terms: list[Term]):
        self.terms = terms

    def begin(self, epoch: int) -> None:
        """Draw the random numbers of an epoch from seed and epoch alone, so that a resume needs no state. Here none."""

    def __call__(self, model: TwoView, view1: Tensor, view2: Tensor, rows: np.ndarray) -> Tensor:
        """The loss of the training pairs `rows`, whose views are `view1` and `view2`."""
        pairs = {"features": model.features(view1, view2)}
        if any(term.on == "embeddings" for term in self.terms):
            pairs["embeddings"] = model.head(*pairs["features"])
        return sum(term.weight * term.loss(*pairs[term.on]) for term in self.terms)

    def row(self, model: TwoView, loss: float) -> dict[str, float]:
        """Further columns for the row of an epoch with that mean loss, after the head was refitted. Here none."""
        return {}


class Training:
    """The whole state of a training run at the end of an epoch; `state()` has what is needed to continue.

    `schedule`: moves the rate after an epoch, keeps the best state, and ends the run by raising `phase`.
    """

    def __init__(
        self, model: TwoView, splits: Splits, objective: Objective, s: Settings, seed: int, device: torch.device,
        schedule: "Callable[[Training, dict], None] | None" = None,
    ):  # fmt: skip
        self.model, self.splits, self.settings, self.seed, self.device = model.to(device), splits, s, seed, device
        self.objective, self.schedule = objective, schedule or patience_and_refinements
        # λ·Σw² in the loss has the gradient 2λw; Adam's weight_decay adds exactly that before its moments
        self.optimizer = torch.optim.Adam(model.parameters(), lr=s.lr, weight_decay=2 * s.l2, fused=True)
        self.history: list[dict] = []
        self.phase, self.waited = 0, 0
        self.best: dict = {"mrr": -math.inf}
        self.seconds = 0.0
        self.order = np.random.default_rng(seed).permutation(len(splits.train))  # of refits and curves, for all the run
        self.valid_n = min(s.curve_n, len(splits.valid))
        self.curve_n = min(self.valid_n, len(splits.train))

    @property
    def stopped(self) -> str:
        """The reason why the run ended, empty while it goes on.

        `patience`, in the first phase and every refinement; `divergence` in any of them; `schedule`, where the rate has
        fallen to 0; `epochs`, the limit of a run that would have gone on.
        """
        if self.phase <= self.settings.refinements:
            if len(self.history) < self.settings.epochs:
                return ""
            return "schedule" if self.settings.anneal else "epochs"
        return "patience" if all(math.isfinite(row["valid_mrr"]) for row in self.history) else "divergence"

    def epoch(self) -> dict:
        """Train for one epoch, refit the head, score the curves, move the schedule; returns the epoch's row."""
        start = time.perf_counter()
        with torch.random.fork_rng():  # dropout draws from seed and epoch alone, so that a resume needs no state
            torch.manual_seed(int(np.random.default_rng([self.seed, len(self.history), 2]).integers(2**62)))
            loss = self.update_weights()
        row = {"epoch": len(self.history) + 1, "phase": self.phase, "lr": self.optimizer.param_groups[0]["lr"]}
        row |= {"loss": loss, **self.curves(loss), **self.objective.row(self.model, loss)}
        row["seconds"] = time.perf_counter() - start
        self.history.append(row)
        self.seconds += row["seconds"]
        self.schedule(self, row)
        return row

    def update_weights(self) -> float:
        """One pass over the shuffled training pairs in full batches; the rest of an epoch is left out, not padded."""
        self.objective.begin(len(self.history))
        self.model.train()
        losses = []
        steps = batches(len(self.splits.train), self.settings.batch, self.seed, len(self.history))
        for step, rows in enumerate(steps):
            if self.settings.anneal:
                done = (len(self.history) + step / len(steps)) / self.settings.epochs
                self.set_rate(annealed_rate(self.settings, done) * self.settings.lr_factor**self.phase)
            view1, view2 = self._training_batch(rows, step)
            try:
                loss = self.objective(self.model, view1, view2, rows)
            except (DivergedError, torch.linalg.LinAlgError):
                return math.nan
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        losses = torch.stack(losses).tolist()  # at once, since reading one makes the processor wait for the device
        return sum(losses) / len(losses) if all(map(math.isfinite, losses)) else math.nan

    def _training_batch(self, rows: np.ndarray, step: int) -> tuple[Tensor, Tensor]:
        """Both views of those training pairs, changed at random where the data or the settings ask for it."""
        augmentation = self.splits.train.augmentation
        if augmentation is None or (augmentation.renderings == 1 and not self.settings.augment):
            return load_batch(self.splits.train, rows, self.device)
        rng = np.random.default_rng([self.seed, len(self.history), 3, step])  # so that a resume needs no state
        changes = augmentation.draw(len(rows), rng, self.settings.augment)
        if self.device.type != "cpu":
            return augmentation.cut_on(self.device, rows, changes)
        view1, view2 = augmentation.cut(rows, changes)
        return torch.from_numpy(view1), torch.from_numpy(view2)

    def curves(self, loss: float) -> dict:
        """MRR (view 1 queries view 2) on the fixed training subset and on validation, after refitting the head."""
        nothing = {"train_mrr": math.nan, "valid_mrr": math.nan}
        if not math.isfinite(loss):
            return nothing
        refitted = self.settings.refit_n or len(self.order)
        h1, h2 = features(self.model, self.splits.train, self.device, self.order[: max(refitted, self.curve_n)])
        if not (_alive(h1) and _alive(h2)):  # the last step broke the weights
            return nothing
        head = self.model.head
        head.refit(h1[:refitted], h2[:refitted])
        with torch.no_grad():
            train = evaluate.mrr(head.embed1(h1[: self.curve_n]), head.embed2(h2[: self.curve_n]))
            valid = evaluate.mrr(*embed(self.model, self.splits.valid, self.device, np.arange(self.valid_n)))
        return {"train_mrr": train, "valid_mrr": valid}

    def set_rate(self, lr: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def weights(self) -> dict:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_weights(self, weights: dict) -> None:
        if "model" not in weights:
            raise InputError(
                "The very first epoch gave a loss that is not a number, or features that are the same for all pairs: "
                "lower lr, or look for NaN in the views."
            )
        self.model.load_state_dict(weights["model"])
        self.optimizer.load_state_dict(copy.deepcopy(weights["optimizer"]))

    def use_best(self) -> TwoView:
        """The model with the weights of the best validation MRR, the head refitted on all pairs, in evaluation mode."""
        self.model.load_state_dict(self.best["model"])
        if self.settings.refit_n:
            self.model.head.refit(*features(self.model, self.splits.train, self.device))
        return self.model.eval()

    def state(self) -> dict:
        kept = {name: getattr(self, name) for name in ("history", "phase", "waited", "best", "seconds")}
        return kept | self.weights()

    def load_state(self, state: dict) -> None:
        self.load_weights(state)
        for name in ("history", "phase", "waited", "best", "seconds"):
            setattr(self, name, state[name])


def patience_and_refinements(training: Training, row: dict) -> None:
    """The released schedule: a tie counts as better, a loss that is not a number ends the phase at once."""
    if row["valid_mrr"] >= training.best["mrr"]:
        training.best = {"mrr": row["valid_mrr"], "epoch": row["epoch"], **copy.deepcopy(training.weights())}
        training.waited = 0
        return
    training.waited += 1
    patience = training.settings.refine_patience if training.phase else training.settings.patience
    if training.waited >= patience or not math.isfinite(row["valid_mrr"]):
        lr = training.optimizer.param_groups[0]["lr"] * training.settings.lr_factor
        training.load_weights(training.best)
        training.set_rate(lr)
        training.phase, training.waited = training.phase + 1, 0


def fit(
    model: TwoView, splits: Splits, method: str, settings: Settings, seed: int = 1, device: torch.device | str = "cpu",
    checkpoint: Path | None = None, on_epoch: Callable[[dict], None] = lambda row: None,
    halt: Callable[[], bool] = lambda: False,
) -> Training:  # fmt: skip
    """The finished training of a model from `methods.build`; it then holds the weights of the best validation MRR.

    `checkpoint`: written after every epoch, or every `SAVE_EVERY` seconds if epochs are shorter, and in the end;
    continued from, to the last digit, where it exists.
    `on_epoch`: called with every row, the rows of a continued checkpoint included.
    `halt`: asked before every epoch; when it says yes, the checkpoint is written and the training comes back
    unfinished, its `stopped` empty.
    Raises `InputError` for views with NaN or with numbers far from 1, and for fewer training pairs than a batch.
    """
    if METHODS[method].neighborhoods:
        raise InputError(f"The method {method!r} needs neighbours of the texts: use the notebook neighborhoods.")
    check_splits(splits, settings)
    objective = Objective(METHODS[method].terms(settings))
    training = Training(model, splits, objective, settings, seed, torch.device(device))
    return run(training, checkpoint, on_epoch, halt)


def run(
    training: Training,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict], None] = lambda row: None,
    halt: Callable[[], bool] = lambda: False,
) -> Training:
    """The same training, finished; continued from its checkpoint where there is one. Arguments as in `fit`."""
    if checkpoint and (state := load_checkpoint(checkpoint, training.device)):
        if len(state["history"]) <= training.settings.epochs:
            training.load_state(state)
        else:  # the longer run stays as it is, and this one trains by itself
            print(f"{checkpoint} is already at epoch {len(state['history'])}; not continued.", file=sys.stderr)
            checkpoint = None
    for row in training.history:
        on_epoch(row)
    unsaved = 0.0  # seconds of training
    while not (training.stopped or halt()):
        row = training.epoch()
        on_epoch(row)
        unsaved += row["seconds"]
        if checkpoint and unsaved >= SAVE_EVERY:
            save_atomically(training.state(), checkpoint)
            unsaved = 0.0
    if checkpoint and unsaved:
        save_atomically(training.state(), checkpoint)
    if training.stopped:
        training.use_best()
    return training


def check_splits(splits: Splits, s: Settings) -> None:
    """Raises `InputError` where training could not even start."""
    if len(splits.train) < s.batch:
        raise InputError(
            f"There are {len(splits.train)} training pairs, fewer than one batch of {s.batch}: lower batch."
        )
    if s.augment and splits.train.augmentation is None:
        raise InputError(f"augment = {s.augment:g} is asked for, but {splits.name} has no augmentation: set it to 0.")
    splits.check_values()


def _alive(features: Tensor) -> bool:
    """Whether encoder outputs (n, d) are finite and differ from pair to pair, by so much that rows have a direction."""
    spread = float((features.amax(0) - features.amin(0)).max())  # NaN and infinite values give NaN or infinity
    return math.isfinite(spread) and (spread > NOTHING or len(features) == 1)


def annealed_rate(s: Settings, done: float) -> float:
    """The learning rate after a share `done` of all epochs: rising from 0 in `warmup`, falling to 0 in `anneal`.

    Both linearly, step by step; between them it is `lr`. The first step counts as if 0.05 % of the epochs were done.
    """
    rising = min(1.0, (done + 5e-4) / s.warmup) if s.warmup else 1.0
    return s.lr * min(rising, (1 - done) / s.anneal, 1.0)


def batches(n: int, batch: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Row numbers of every full batch of an epoch, from seed and epoch alone, so that a resume needs no state."""
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return [order[i : i + batch] for i in range(0, n - batch + 1, batch)]


def load_batch(split: Split, rows: np.ndarray, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Both views of those rows as float32 tensors on the device, cut there if it is a GPU and the views can be."""
    return _batch(split.view1, rows, torch.device(device)), _batch(split.view2, rows, torch.device(device))


def _batch(view: View, rows: np.ndarray, device: torch.device) -> Tensor:
    if view.cut_on_device is None or device.type == "cpu":
        return torch.from_numpy(view[rows]).to(device)
    return view.cut_on_device(torch.from_numpy(rows).to(device, non_blocking=True))


@torch.no_grad()
def features(
    model: TwoView, split: Split, device: torch.device | str = "cpu", rows: np.ndarray | None = None
) -> tuple[Tensor, Tensor]:
    """Encoder outputs (n, d) of those rows of a split (None: all, in order), in evaluation mode."""
    model.eval()
    rows = np.arange(len(split)) if rows is None else rows
    chunks = [rows[i : i + EVAL_BATCH] for i in range(0, len(rows), EVAL_BATCH)]
    outputs = [model.features(*load_batch(split, chunk, device)) for chunk in chunks]
    h1, h2 = (torch.cat(side) for side in zip(*outputs, strict=True))
    return h1, h2


@torch.no_grad()
def embed(
    model: TwoView, split: Split, device: torch.device | str = "cpu", rows: np.ndarray | None = None
) -> tuple[Tensor, Tensor]:
    """Unit-length embeddings (n, k) of both views of those rows of a split (None: all), in evaluation mode."""
    h1, h2 = features(model, split, device, rows)
    return model.head.embed1(h1), model.head.embed2(h2)


def load_checkpoint(path: Path, device: torch.device | str) -> dict | None:
    """The state in a checkpoint; None where there is none, or where it is damaged, which is said on stderr.

    A flipped bit would be loaded as another state, so the checksums that the file has are compared first.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as parts:
            if parts.testzip():
                raise ValueError("a checksum is another")
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file ends its readers in many ways
        print(f"The checkpoint {path} cannot be read ({type(error).__name__}); training starts again.", file=sys.stderr)
        return None


def save_atomically(state: dict, path: Path) -> None:
    """Write a checkpoint so that a killed process leaves the old one or the new one."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue())
