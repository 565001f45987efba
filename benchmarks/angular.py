"""The angular loss against the released code's own computation: time and memory of forward and backward.

The released code repeats every anchor n times and, for each of these, every negative n times: n⁴ products of d numbers.
`angular_npairs(released=True)` gives the same value from n² of them. Run it as `python -m benchmarks.angular`.
"""

import sys
from functools import partial

import torch
from torch import Tensor

from benchmarks import common
from xmlib.neighborhoods.angular import angular_npairs

D = 256  # the released embedding size
COMPARED = (16, 24)  # the literal computation needs about n⁴ · d · 8 bytes, and seconds
LARGE, LIMIT_MB = 512, 1024
TURNS = 3


def literal(anchors: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """The released value as the released code takes it, every repetition spelled out in memory."""
    n = len(anchors)
    a, p = (rows.repeat_interleave(n, 0)[:, None] for rows in (anchors, positives))  # (n², 1, d)
    repeated = negatives.repeat_interleave(n, 0).repeat(n * n, 1, 1)  # (n², n², d)
    logits = 4 * (a + p) @ repeated.transpose(1, 2) - 4 * a @ p.transpose(1, 2)  # (n², 1, n²)
    return torch.log(1 + logits.exp().sum(2)).mean()


def compact(anchors: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """The same value by the library."""
    return angular_npairs(anchors, positives, negatives, released=True)


FORMS = {"literal": literal, "compact": compact}


def views(n: int) -> list[Tensor]:
    """Unit-length anchors, positives and negatives, (n, d) each, float32, that want a gradient."""
    generator = torch.Generator().manual_seed(n)
    rows = [torch.randn(n, D, generator=generator) for _ in range(3)]
    return [torch.nn.functional.normalize(r, dim=1).requires_grad_() for r in rows]


def step(form: str, inputs: list[Tensor]) -> list[Tensor]:
    """The value and the three gradients of one forward and backward pass."""
    value = FORMS[form](*inputs)
    return [value.detach(), *torch.autograd.grad(value, inputs)]


def growth(form: str, n: int) -> float:
    """How many MiB this process grows by one step; call it in a process of its own."""
    torch.set_num_threads(1)
    step(form, views(4))  # what PyTorch loads at first use is not the loss's
    return common.growth(partial(step, form, views(n)))


def time_row(n: int) -> common.Row:
    """The claim that the compact form is faster at n pairs."""
    inputs = views(n)
    pairs = zip(step("literal", inputs), step("compact", inputs), strict=True)
    off = max(float((a - b).abs().max()) for a, b in pairs)
    timing = common.paired(partial(step, "compact", inputs), partial(step, "literal", inputs), turns=TURNS)
    note = f"value and gradients differ by at most {off:.0e}"
    return common.claim("Time of the angular loss: n² products against n⁴", setting(n), timing, goal=1, note=note)


def memory_row(n: int) -> common.Row:
    """The claim that the compact form needs less memory at n pairs."""
    timing = common.compared([common.apart(growth, "compact", n)], [common.apart(growth, "literal", n)])
    name = "Memory of the angular loss: n² products against n⁴"
    return common.claim(name, setting(n), timing, goal=1, unit="MiB", note=common.LEAST)


def setting(n: int) -> str:
    """What a row says of its setting."""
    return f"n = {n}, d = {D}, forward and backward, one thread"


def measure() -> list[common.Row]:
    """The rows of this script."""
    limit = common.compared([common.apart(growth, "compact", LARGE)], [LIMIT_MB])
    name = "Memory of the angular loss: a large batch against a limit"
    large = common.claim(name, setting(LARGE), limit, goal=1, unit="MiB")
    return [row for n in COMPARED for row in (time_row(n), memory_row(n))] + [large]


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure))
