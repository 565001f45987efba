"""The angular loss against the released code's own computation: time and memory of forward and backward.

The released code repeats every anchor n times and, for each of these, every negative n times: n⁴ products of d numbers.
`angular_npairs(released=True)` gives the same value from n² of them. Time is processor time on one thread, which other
programs change little. Each measurement is a process of its own, since the peak of a process never falls.
`python benchmarks/angular.py` prints a table and ends with 1 where a claim fails.
"""

import argparse
import json
import subprocess
import sys
import time

import psutil
import torch
from torch import Tensor

from xmlib.angular import angular_npairs
from xmlib.records import peak_memory_mb

D = 256  # the released embedding size
COMPARED = (24, 32)  # the literal computation needs about n⁴ · d · 8 bytes
LARGE, LIMIT_MB = 512, 1024
LEAST_MB = 1.0  # growth below that is lost among the pages of the process, and counts as that
TOLERANCE = 1e-5  # of the value and of every gradient, in float32


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
PASSES = {"literal": 1, "compact": 20}  # the first compact pass is mostly the allocator's; a literal one takes seconds


def views(n: int) -> list[Tensor]:
    """Unit-length anchors, positives and negatives, (n, d) each, float32, that want a gradient."""
    generator = torch.Generator().manual_seed(n)
    rows = [torch.randn(n, D, generator=generator) for _ in range(3)]
    return [torch.nn.functional.normalize(r, dim=1).requires_grad_() for r in rows]


def step(form: str, n: int) -> list[Tensor]:
    """The value and the three gradients of one forward and backward pass."""
    inputs = views(n)
    value = FORMS[form](*inputs)
    return [value.detach(), *torch.autograd.grad(value, inputs)]


def measure(form: str, n: int) -> dict:
    """Least seconds of some passes, the growth of this process in MiB, and the difference from the compact form."""
    torch.set_num_threads(1)
    step(form, 4)  # what PyTorch loads at first use is not the loss's
    before = psutil.Process().memory_info().rss / 2**20
    seconds = []
    for _ in range(PASSES[form]):
        start = time.process_time()
        result = step(form, n)
        seconds.append(time.process_time() - start)
    growth = max(peak_memory_mb() - before, LEAST_MB)
    off = max(float((a - b).abs().max()) for a, b in zip(result, step("compact", n), strict=True))
    return {"form": form, "n": n, "seconds": min(seconds), "mb": growth, "off": off}


def measured_apart(form: str, n: int) -> dict:
    """`measure` in a fresh process."""
    run = subprocess.run(
        [sys.executable, __file__, "--one", form, str(n)], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(run.stdout)


def show(rows: list[dict]) -> None:
    """Print the table, with the ratios literal / compact at each n."""
    print(f"Angular loss, d = {D}, forward and backward, processor time on one thread")
    print(f"{'n':>4} {'form':8} {'ms':>10} {'MiB':>8} {'time ratio':>11} {'memory ratio':>13}")
    by = {(row["form"], row["n"]): row for row in rows}
    for row in rows:
        line = f"{row['n']:4} {row['form']:8} {1000 * row['seconds']:10.2f} {row['mb']:8.1f}"
        if row["form"] == "literal":
            ours = by["compact", row["n"]]
            line += f" {row['seconds'] / ours['seconds']:11.0f} {row['mb'] / ours['mb']:13.0f}"
        print(line)


def failures(rows: list[dict]) -> list[str]:
    """The claims that the measurements do not bear out, one sentence each."""
    by = {(row["form"], row["n"]): row for row in rows}
    found = [f"The two forms differ by {r['off']:.1e} at n = {r['n']}." for r in rows if not r["off"] <= TOLERANCE]
    for n in COMPARED:
        slow, fast = by["literal", n], by["compact", n]
        if slow["seconds"] <= fast["seconds"] or slow["mb"] <= fast["mb"]:
            found.append(f"The compact form saves nothing at n = {n}.")
    if by["compact", LARGE]["mb"] >= LIMIT_MB:
        found.append(f"n = {LARGE} takes {by['compact', LARGE]['mb']:.0f} MiB, {LIMIT_MB} or more.")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status, 1 where a claim fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=2, metavar=("FORM", "N"), help="one measurement, as JSON")
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]))))
        return 0
    rows = [measured_apart(form, n) for n in COMPARED for form in FORMS] + [measured_apart("compact", LARGE)]
    show(rows)
    for failure in failures(rows):
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
