"""A model whose encoders see only this process's share of a batch, while everything after them sees all of it.

Every process cuts the whole batch, encodes its share, and gets the features of all the others. Head and objective, the
very ones of a single process, then run on the whole batch in every process: it costs as much as in one, and needs n × d
features to travel instead of covariances. Gradients of the encoders are added up by `DistributedDataParallel`.
"""

from __future__ import annotations

import inspect

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from xmlib.fit import Objective
from xmlib.model import TwoView

# All processes compute the same buffers, which need not travel at every step. PyTorch 2.13 has a new name for that.
_DDP = inspect.signature(DistributedDataParallel).parameters
BUFFERS_APART = {"forward_sync_buffers" if "forward_sync_buffers" in _DDP else "broadcast_buffers": False}


def share(n: int, rank: int | None = None) -> slice:
    """Which of n rows in a row are those of a process (default: this one); shares differ by one row at most."""
    rank, world = dist.get_rank() if rank is None else rank, dist.get_world_size()
    return slice(n * rank // world, n * (rank + 1) // world)


def gathered(rows: Tensor, n: int) -> Tensor:
    """All n rows (n, d), of which this process has `rows`, its `share`.

    As every process computes the same loss from them, the gradient of its own rows is whole. It is multiplied by the
    number of processes, since `DistributedDataParallel` takes the mean over them.
    """
    return _Gathered.apply(rows, n)


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: Tensor, n: int) -> Tensor:
        ctx.own = share(n)
        world = dist.get_world_size()
        shares = [share(n, rank) for rank in range(world)]
        lengths = [own.stop - own.start for own in shares]
        padded = rows.new_zeros(max(lengths), *rows.shape[1:])  # all processes send as many
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in shares]
        dist.all_gather(parts, padded)
        return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])

    @staticmethod
    def backward(ctx, grad: Tensor):
        return grad[ctx.own] * dist.get_world_size(), None


class _Summed(torch.autograd.Function):
    """Sums over all processes, and so are their gradients. PyTorch's own has moved with its versions."""

    @staticmethod
    def forward(ctx, own: Tensor) -> Tensor:
        sums = own.clone()
        dist.all_reduce(sums)
        return sums

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        sums = grad.clone()
        dist.all_reduce(sums)
        return sums


class WholeBatchNorm(_BatchNorm):
    """Batch norm over the shares of all processes on a CPU, for which PyTorch has none.

    Means first, then variances about them, both added up in float64: sums of squares alone would cost digits.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Of the same shape (n, channels, ...) as the input, all channels of mean 0 and variance 1 before the weights.

        In evaluation that of every batch norm.
        """
        if not self.training:
            return super().forward(input)
        wide = input if input.dtype == torch.float64 else input.float()
        dims = [dim for dim in range(wide.dim()) if dim != 1]
        shape = [-1 if dim == 1 else 1 for dim in range(wide.dim())]
        count = wide.new_full((1,), wide.numel() // wide.shape[1], dtype=torch.float64)
        sums = _Summed.apply(torch.cat([wide.sum(dims, dtype=torch.float64), count]))
        mean, count = sums[:-1] / sums[-1], sums[-1].detach()
        centred = wide - mean.to(wide.dtype).view(shape)
        variance = _Summed.apply(centred.square().sum(dims, dtype=torch.float64)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = (self.weight * (variance + self.eps).rsqrt()).to(wide.dtype)
        return torch.addcmul(self.bias.view(shape), centred, scale.view(shape)).to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any shape with channels second."""


def with_whole_batch_norm(module: nn.Module) -> nn.Module:
    """The same module, its parameters untouched, whose batch norms see the shares of all; alone, as it is."""
    if dist.get_world_size() == 1:
        return module
    if next(module.parameters()).device.type != "cpu":
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.__class__ = WholeBatchNorm
    return module


class SharedModel(TwoView):
    """The model of one process whose features are computed in shares; parameters, buffers and their names are its own.

    `features` takes the same whole batch in every process and gives the features of all of it, in training and in
    evaluation. `embed1`, `embed2` of single views are computed where they are called. Dropout draws in every process
    for itself.
    """

    def __init__(self, model: TwoView):
        super().__init__(with_whole_batch_norm(model.encoder1), with_whole_batch_norm(model.encoder2), model.head)

    def features(self, view1: Tensor, view2: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder outputs (n, d) of both views, before the head."""
        own = share(len(view1))
        h1, h2 = super().features(view1[own], view2[own])
        return gathered(h1, len(view1)), gathered(h2, len(view2))

    def alone(self) -> TwoView:
        """The same model to be used by this process without the others."""
        return TwoView(self.encoder1, self.encoder2, self.head)


class SharedObjective(Objective):
    """The objective of one process on a `SharedModel`; its backward pass leaves every process the whole gradient."""

    def __init__(self, model: SharedModel, objective: Objective):
        super().__init__(objective.terms)
        self.objective = objective
        self.step = DistributedDataParallel(_Step(model, objective), **BUFFERS_APART)

    def begin(self, epoch: int) -> None:
        """As the objective of one process."""
        self.objective.begin(epoch)

    def row(self, model: TwoView, loss: float) -> dict[str, float]:
        """As the objective of one process."""
        return self.objective.row(model, loss)

    def __call__(self, model: TwoView, view1: Tensor, view2: Tensor, rows: np.ndarray) -> Tensor:
        """The loss of the whole batch, the same in every process."""
        return self.step(view1, view2, rows)


class _Step(nn.Module):
    """What `DistributedDataParallel` wraps: from a whole batch to its loss."""

    def __init__(self, model: SharedModel, objective: Objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, view1: Tensor, view2: Tensor, rows: np.ndarray) -> Tensor:
        return self.objective(self.model, view1, view2, rows)
