"""A head estimated on more pairs than fit into memory, from means and covariances that chunks add up to."""

import torch
from torch import Tensor, nn

from xmlib.cca import CCALayer, check_sizes, projections
from xmlib.errors import InputError
from xmlib.model import LinearHead


class Moments:
    """Means and sums of centred products of two views, added up chunk by chunk in float64.

    Chunks are merged by their own means (Chan, Golub and LeVeque 1979), so that nothing cancels whatever the mean is.
    """

    def __init__(self, d1: int, d2: int):
        self.d1, self.n = d1, 0
        self.mean = torch.zeros(d1 + d2, dtype=torch.float64)
        self.products = torch.zeros(d1 + d2, d1 + d2, dtype=torch.float64)  # of both views side by side

    def add(self, h1: Tensor, h2: Tensor) -> None:
        """Count in encoder outputs (m, d1), (m, d2) of some pairs."""
        chunk = torch.cat([h1.double(), h2.double()], dim=1)
        mean = chunk.mean(0)
        self.merge(len(chunk), mean, (chunk - mean).T @ (chunk - mean))

    def merge(self, m: int, mean: Tensor, products: Tensor) -> None:
        """Count in m pairs more by their own mean and the sums of products about it."""
        shift = mean - self.mean
        self.products += products + shift.outer(shift) * (self.n * m / (self.n + m))
        self.mean += shift * (m / (self.n + m))
        self.n += m

    def covariances(self, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
        """`sxx + ridge·I`, `syy + ridge·I` and `sxy` of all pairs, as `cca.covariances` gives them."""
        s = self.products / max(self.n - 1, 1) + ridge * torch.eye(len(self.products), dtype=torch.float64)
        return s[: self.d1, : self.d1], s[self.d1 :, self.d1 :], s[: self.d1, self.d1 :]


@torch.no_grad()
def refit(head: nn.Module, moments: Moments) -> None:
    """Estimate a head anew from the moments of all pairs, as its own `refit` does from the pairs themselves.

    Raises `InputError` for no more pairs than dimensions, and for a head that has nothing to estimate.
    """
    mean1, mean2 = moments.mean[: moments.d1], moments.mean[moments.d1 :]
    if isinstance(head, LinearHead):
        return head.refit(mean1[None].to(head.mean1), mean2[None].to(head.mean2))
    if not isinstance(head, CCALayer):
        raise InputError("A model with linear maps only has no head to be estimated anew: train it on all pairs.")
    check_sizes(*(torch.empty(moments.n, len(mean), device="meta") for mean in (mean1, mean2)))
    A, B, corr = projections(*moments.covariances(head.ridge), head.k)
    state = {name: value for name, value in head.state_dict().items() if not name.startswith(("stored", "source"))}
    state |= {"mean1": mean1, "mean2": mean2, "projection1": A, "projection2": B, "corr": corr}  # marked as refitted
    head.load_state_dict(state)
    return None
