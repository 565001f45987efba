"""Pictures into d numbers: a small network trained from scratch, and ResNet-50 with weights from a file."""

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from xmlib import paths
from xmlib.errors import InputError
from xmlib.neighborhoods.text_encoders import D, init_projection

FILTERS = (32, 64, 128, 256)  # of the small encoder's four blocks
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # ResNet-50: width, blocks, stride
EXPANSION = 4  # a block's outputs are so many times its width
CLASSES = 1000  # of ImageNet; the layer is loaded with the rest and then dropped
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's weights expect these
WEIGHTS = paths.DATA / "weights"
WEIGHTS_NAME = "resnet50-*.pth"  # torchvision's names: resnet50-0676ba61.pth, resnet50-11ad3fa6.pth


class PixelEncoder(nn.Module):
    """Small convolutional encoder, trained from scratch: pixels (n, 3, h, w) in [0, 1] in, (n, d) out.

    Four blocks of a 3×3 convolution, batch norm, ELU and 2×2 max-pool, the mean over positions, a linear map. For
    pictures of 64 × 64; of our own making, there is none in the released code.
    """

    def __init__(self, d: int = D):
        super().__init__()
        channels = [3, *FILTERS]
        blocks = [_small_block(a, b) for a, b in zip(channels, channels[1:], strict=False)]
        self.layers = nn.Sequential(*blocks)
        self.projection = init_projection(nn.Linear(channels[-1], d))

    def forward(self, pixels: Tensor) -> Tensor:
        maps = self.layers(2 * pixels - 1)  # centred: a white page is 1, a black one −1
        return self.projection(maps.mean(dim=(2, 3)))


def _small_block(channels_in: int, channels_out: int) -> nn.Module:
    conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ELU(inplace=True), nn.MaxPool2d(2))


class Bottleneck(nn.Module):
    """A residual block of 1×1, 3×3 and 1×1 convolutions; the stride is at the 3×3 one, as in torchvision."""

    def __init__(self, channels_in: int, width: int, stride: int):
        super().__init__()
        out = width * EXPANSION
        self.conv1, self.bn1 = nn.Conv2d(channels_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels_in != out:
            shortcut = nn.Conv2d(channels_in, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out))

    def forward(self, maps: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(maps)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        return functional.relu(inner + (maps if self.downsample is None else self.downsample(maps)))


class ResNet50(nn.Module):
    """ResNet-50 with torchvision's names, so that its files load: normalised pixels (n, 3, h, w) in, (n, 2048) out.

    The output is that of the mean over positions; `fc`, the classifier, is there for the file and is not used.
    """

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64)
        channels = 64
        for number, (width, blocks, stride) in enumerate(STAGES, 1):
            first = Bottleneck(channels, width, stride)
            channels = width * EXPANSION
            rest = [Bottleneck(channels, width, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(first, *rest))
        self.fc = nn.Linear(channels, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        maps = functional.relu(self.bn1(self.conv1(pixels)))
        maps = functional.max_pool2d(maps, 3, 2, padding=1)
        for number in range(1, len(STAGES) + 1):
            maps = getattr(self, f"layer{number}")(maps)
        return maps.mean(dim=(2, 3))


class ResNetEncoder(nn.Module):
    """ResNet-50, fine-tuned, and a linear map: pixels (n, 3, 224, 224) in [0, 1] in, (n, d) out (released).

    `weights`: torchvision's file or the folder it lies in, see `load_resnet50`; nothing is ever downloaded.
    """

    def __init__(self, weights: Path | str = WEIGHTS, d: int = D):
        super().__init__()
        self.resnet = load_resnet50(weights)
        self.resnet.fc = nn.Identity()  # no weights that nothing trains
        self.projection = init_projection(nn.Linear(STAGES[-1][0] * EXPANSION, d))
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.projection(self.resnet((pixels - self.mean) / self.std))


def load_resnet50(weights: Path | str = WEIGHTS) -> ResNet50:
    """ResNet-50 with torchvision's ImageNet weights from a file, `resnet50-*.pth`, or from the last such in a folder.

    Raises `InputError` for a file that is not there, cannot be read, or does not hold exactly this network.
    """
    path = weights_file(Path(weights))
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # plain tensors: runs no code of the file's
    except (RuntimeError, EOFError, OSError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{str(path)!r} cannot be read as weights ({type(error).__name__}): copy torchvision's file again."
        ) from None
    model = ResNet50()
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        what = " ".join(str(error).split())[:200]
        raise InputError(f"{str(path)!r} does not hold torchvision's ResNet-50 ({what}): give that file.") from None
    return model


def weights_file(weights: Path) -> Path:
    """That file, or the last one of torchvision's name in that folder; raises `InputError` where there is none."""
    if weights.is_file():
        return weights
    found = sorted(weights.glob(WEIGHTS_NAME)) if weights.is_dir() else []
    if not found:
        where = weights if weights.suffix == ".pth" else weights / WEIGHTS_NAME
        raise InputError(
            f"There are no ResNet-50 weights at {str(where)!r}: put torchvision's file there, since it is never "
            "downloaded, or choose another image encoder."
        )
    return found[-1]


def resized(pictures: np.ndarray, size: int) -> np.ndarray:
    """Pixels (n, 3, size, size) in [0, 1], float32, of uint8 RGB pictures (n, h, w, 3); larger ones are averaged."""
    pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
    pixels = functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    return pixels.clamp(0, 1).numpy()  # rounding may leave 1 by a digit


def flipped(pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The pictures (n, 3, h, w), about half of them, at random, mirrored left to right: the released augmentation."""
    chosen = torch.rand(len(pixels), generator=generator) < 0.5
    return torch.where(chosen.to(pixels.device)[:, None, None, None], pixels.flip(3), pixels)


class RandomMirror(nn.Module):
    """In training about half of the pictures (n, 3, h, w), at random, mirrored left to right; see `flipped`."""

    def forward(self, pixels: Tensor) -> Tensor:
        return flipped(pixels) if self.training else pixels
