"""Small classifiers that come with ganlib, whose features stand in for Inception's.

ImageNet's features say little about 28x28 grey clothes or about icons. A Frechet distance in the
features of such a network is called by the network's name, FD-fashion, and is no FID. The scripts
that trained them are named in weights/NAME.json, beside weights/NAME.safetensors.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load
from torch import Tensor, nn

from ganlib.common.io.files import as_user_error
from ganlib.evaluation.extractors.base import (
    FOLDED,
    Extractor,
    Features,
    Options,
    arithmetic,
    bilinear,
    in_channels,
    place,
    read_weights,
)

FOLDER = Path(__file__).parent / "weights"
"""Of NAME.safetensors, in float16, and of NAME.json, which says how those were made."""


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


class Classifier(nn.Module):
    """uint8 or float images (N, C, side, side) in 0..255 -> features (N, D), logits (N, K)."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        before = (kind.channels, *(layer.channels for layer in kind.layers))
        layers = [conv_layer(n, layer) for n, layer in zip(before, kind.layers, strict=False)]
        self.body = nn.Sequential(*(module for layer in layers for module in layer))
        self.head = nn.Linear(kind.n_features, kind.n_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h: Tensor = self.body(x.float() / 127.5 - 1).float().mean((2, 3))
        return h, self.head(h)


class Classified(Extractor):
    """A classifier's pooled features and its logits; colours are averaged for one that takes grey,
    grey is repeated for one that takes colours.
    """

    bf16 = FOLDED

    def __init__(
        self, network: Classifier, digest: str, device: torch.device, options: Options
    ) -> None:
        kind = network.kind
        self.name, self.n_features, self.n_classes = kind.name, kind.n_features, kind.n_classes
        self.classes, self.resize = kind.classes, bilinear(kind.side)
        self.digest, self.device, self.options = digest, device, options
        self.network = place(network, device, options)

    def __call__(self, x: Tensor) -> Features:
        with arithmetic(self.device, self.options.precision):
            return self.through(x.to(self.device))

    def through(self, x: Tensor) -> Features:
        """Features of images (N, C, H, W) in 0..255 on its device, with gradients if these ask."""
        x = in_channels(x, self.network.kind.channels)
        pool, logits = self.network(self.resize(x))
        return Features(pool.float(), logits.float())


def make_classified(kind: Kind, device: torch.device, options: Options) -> Classified:
    """The extractor of the bundled classifier, or of another file of the same network."""
    path = options.weights or kind.weights
    content = read_weights(path)
    problem = (
        f"{path} does not hold the weights of the extractor '{kind.name}', which come with ganlib: "
        "leave the file out, or name the --extractor that it is for."
    )
    # safetensors and load_state_dict have many names for "not ours"
    with as_user_error(lambda _: problem):
        network = load_classifier(kind, content)
    return Classified(network, sha256(content).hexdigest(), device, options)


def load_classifier(kind: Kind, data: bytes) -> Classifier:
    """The classifier with the weights of a safetensors file, in evaluation mode, frozen."""
    network = Classifier(kind)
    weights = {name: w.float() if w.is_floating_point() else w for name, w in load(data).items()}
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def conv_layer(before: int, layer: Layer) -> list[nn.Module]:
    """A convolution, batch normalisation and a ReLU."""
    after, kernel, stride = layer
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(after), nn.ReLU()]
