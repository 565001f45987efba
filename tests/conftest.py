import os
import random
import shutil

os.environ.setdefault("MPLBACKEND", "Agg")  # before anyone imports matplotlib
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anyone imports torch; small matrices gain nothing from more

import numpy as np
import pytest
import torch

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  libraries that draw from the global generator
    torch.manual_seed(0)


class LargestTensor(torch.utils._python_dispatch.TorchDispatchMode):
    """In a `with`: `numel` is that of the largest tensor made, a witness that no n × n one is kept."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = (t for t in torch.utils._pytree.tree_leaves(out) if torch.is_tensor(t))
        self.numel = max([self.numel, *(t.numel() for t in tensors)])
        return out


def absent(what: str) -> None:
    """Skip a test that lacks `what`; fail it instead where XMLIB_REQUIRE_SITE says that nothing may be lacking."""
    if os.environ.get("XMLIB_REQUIRE_SITE"):
        pytest.fail(f"{what}, and XMLIB_REQUIRE_SITE is set")
    pytest.skip(what)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium or Chrome."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        absent("no Chromium on this machine (Debian: apt-get install chromium)")
    return str(found)
