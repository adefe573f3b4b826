"""Small classifiers that come with ganlib, whose features stand in for Inception's.

ImageNet's features say little about 28x28 grey clothes or about icons. A Frechet distance in the
features of such a network is called by the network's name, FD-fashion, and is no FID. The scripts
that trained them are named in weights/NAME.json, beside weights/NAME.safetensors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "weights"


class Layer(NamedTuple):
    """A convolution to so many channels, with batch normalisation and ReLU."""

    channels: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class Kind:
    """One such classifier. name: the extractor's and the weights'. dataset: what it was trained on,
    whose images are (channels, side, side) and of these classes.
    """

    name: str
    dataset: str
    channels: int
    side: int
    classes: tuple[str, ...]
    layers: tuple[Layer, ...]

    @property
    def n_classes(self) -> int:
        """How many classes it tells."""
        return len(self.classes)

    @property
    def n_features(self) -> int:
        """The channels of the last layer, averaged over the image."""
        return self.layers[-1].channels

    @property
    def weights(self) -> Path:
        """The file, safetensors in float16, that comes with ganlib."""
        return FOLDER / f"{self.name}.safetensors"

    @property
    def record(self) -> Path:
        """The JSON file that says how the weights were made and how good they are."""
        return FOLDER / f"{self.name}.json"


class Classifier(nn.Module):
    """uint8 or float images (N, C, side, side) in 0..255 -> features (N, D), logits (N, K)."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        before = (kind.channels, *(layer.channels for layer in kind.layers))
        layers = [conv_layer(n, layer) for n, layer in zip(before, kind.layers, strict=False)]
        self.body = nn.Sequential(*(module for layer in layers for module in layer))
        self.head = nn.Linear(kind.n_features, kind.n_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h: Tensor = self.body(x.to(self.head.weight.dtype) / 127.5 - 1).mean((2, 3))
        return h, self.head(h)


def load_classifier(kind: Kind, data: bytes) -> Classifier:
    """The classifier with the weights of a safetensors file, in evaluation mode, frozen."""
    network = Classifier(kind)
    weights = {name: w.float() if w.is_floating_point() else w for name, w in load(data).items()}
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def fit(kind: Kind, x: Tensor) -> Tensor:
    """Images (N, 1 or 3, H, W) in 0..255 as float (N, C, side, side): colours averaged where C is
    1, grey repeated where it is 3, then resized.
    """
    x = x.float()
    x = x.mean(1, keepdim=True) if kind.channels == 1 else x.expand(-1, kind.channels, -1, -1)
    if x.shape[2:] == (kind.side, kind.side):
        return x
    return F.interpolate(x, (kind.side, kind.side), mode="bilinear", antialias=True)


def conv_layer(before: int, layer: Layer) -> list[nn.Module]:
    """A convolution, batch normalisation and a ReLU."""
    after, kernel, stride = layer
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(after), nn.ReLU()]


@torch.no_grad()
def accuracy(network: Classifier, x: Tensor, y: Tensor) -> float:
    """The share of uint8 images (N, C, side, side) that get their label (N,)."""
    parts = zip(torch.split(x, 1000), torch.split(y, 1000), strict=True)
    right = sum(int((network(a)[1].argmax(1) == b).sum()) for a, b in parts)
    return right / len(x)
