"""R3GAN's networks: residual blocks with grouped convolutions, and no normalisation at all.

Huang et al. 2024, configuration E; sizes and initialisation as in brownvc/R3GAN, R3GAN/Networks.py
and train.py.
"""

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers import LEAK
from ganlib.common.layers.basic import ClassEmbedding
from ganlib.common.layers.resampling import Down, Up
from ganlib.common.networks.mlp import HIDDEN, MLPDiscriminator, MLPGenerator
from ganlib.common.networks.quick import quick_critic, quick_generator

from .updater import Config

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

N_HIDDEN = 64
EXPANSION = 2
LEAKY_GAIN = math.sqrt(2 / (1 + LEAK**2))
"""The gain that keeps the variance through a leaky ReLU."""


@dataclass(frozen=True)
class Sizes:
    """widths: channels of each stage, from the smallest image on; the size doubles between stages.
    blocks: residual blocks in a stage. group: channels of a group in the 3x3 convolutions.
    """

    widths: tuple[int, ...]
    blocks: int = 2
    group: int = 16

    def scaled(self, width: float) -> "Sizes":
        """With `width` times the channels, rounded to whole groups."""
        unit = self.group // EXPANSION
        widths = tuple(unit * max(1, round(ch * width / unit)) for ch in self.widths)
        return Sizes(widths, self.blocks, self.group)

    @property
    def down(self) -> int:
        """How many times the smallest image is smaller than the largest."""
        return int(2 ** (len(self.widths) - 1))

    @property
    def shrink(self) -> float:
        """The factor on the initial weights of a block's three convolutions.

        So that L blocks add up: Fixup (Zhang, Dauphin, Ma 2019), L ** (-1 / (2 m - 2)) for m = 3.
        """
        return float((self.blocks * len(self.widths)) ** -0.25)


class BiasLeakyReLU(nn.Module):
    """leaky_relu(x + bias), one bias for each channel: the only biases of these networks."""

    def __init__(self, ch: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(ch, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, ch, H, W) -> the same."""
        return F.leaky_relu(x + self.bias, LEAK)


class Block(nn.Module):
    """x plus 1x1 to twice the channels, grouped 3x3, 1x1 back; starts as the identity."""

    def __init__(self, ch: int, sizes: Sizes) -> None:
        super().__init__()
        wide = EXPANSION * ch
        self.c1 = conv(ch, wide, 1, gain=LEAKY_GAIN * sizes.shrink)
        self.b1 = BiasLeakyReLU(wide)
        self.c2 = conv(wide, wide, 3, wide // sizes.group, gain=LEAKY_GAIN * sizes.shrink)
        self.b2 = BiasLeakyReLU(wide)
        self.c3 = conv(wide, ch, 1, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ch, H, W) -> the same."""
        h = self.b1(self.c1(x))
        return x + self.c3(self.b2(self.c2(h)))


class R3Generator(Generator):
    """A learned small image times linear(z), stages of blocks, 1x1 to the image; no tanh.

    H and W: multiples of sizes.down.
    """

    def __init__(self, image: Shape, sizes: Sizes, n_hidden: int = N_HIDDEN) -> None:
        super().__init__(n_hidden, "normal")
        channels, height, width = image
        first, last = sizes.widths[0], sizes.widths[-1]
        self.basis = nn.Parameter(torch.randn(first, height // sizes.down, width // sizes.down))
        self.l0 = linear(n_hidden, first)
        layers: list[nn.Module] = stage(first, sizes)
        for small, large in pairwise(sizes.widths):
            layers += [*change(small, large), Up(), *stage(large, sizes)]
        self.layers = nn.Sequential(*layers, conv(last, channels, 1))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) -> images (N, C, H, W); y is not used."""
        return self.layers(self.l0(z)[:, :, None, None] * self.basis)


class R3Discriminator(nn.Module):
    """The generator's mirror image: 1x1, stages of blocks, one number for each channel, linear."""

    def __init__(self, image: Shape, sizes: Sizes, n_out: int = 1) -> None:
        super().__init__()
        channels, height, width = image
        first, last = sizes.widths[0], sizes.widths[-1]
        layers: list[nn.Module] = [conv(channels, last, 1)]
        for large, small in pairwise(sizes.widths[::-1]):
            layers += [*stage(large, sizes), Down(), *change(large, small)]
        bottom = (height // sizes.down, width // sizes.down)
        basis = initialised(nn.Conv2d(first, first, bottom, groups=first, bias=False))
        self.features = nn.Sequential(*layers, *stage(first, sizes), basis, nn.Flatten())
        self.l1 = linear(first, n_out)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) -> logits (N, n_out); y is not used."""
        return self.l1(self.features(x))


class ConditionalGenerator(Generator):
    """Gives `gen` a vector of the class, as long as z, behind z."""

    def __init__(self, gen: Generator, n_classes: int) -> None:
        super().__init__(N_HIDDEN, "normal")
        self.gen = gen
        self.classes = ClassEmbedding(n_classes, N_HIDDEN)
        nn.init.normal_(self.classes.weight, 0.0, n_classes**-0.5)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, 64) and y, int64 (N,) or float (N, n_classes) -> images (N, C, H, W)."""
        return self.gen(torch.cat((z, self.classes(y)), 1))


class ConditionalDiscriminator(nn.Module):
    """The inner product of what `dis` makes of an image, (N, n_out), and a vector of the class."""

    def __init__(self, dis: nn.Module, n_out: int, n_classes: int) -> None:
        super().__init__()
        self.dis = dis
        self.classes = ClassEmbedding(n_classes, n_out)
        nn.init.normal_(self.classes.weight, 0.0, (n_classes * n_out) ** -0.5)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W) and y, int64 (N,) or float (N, n_classes) -> logits (N, 1)."""
        return (self.dis(x) * self.classes(y)).sum(1, keepdim=True)


def stage(ch: int, sizes: Sizes) -> list[nn.Module]:
    """The residual blocks of one size of image."""
    return [Block(ch, sizes) for _ in range(sizes.blocks)]


def change(before: int, after: int) -> list[nn.Module]:
    """A 1x1 convolution where the number of channels changes, else nothing."""
    return [] if before == after else [conv(before, after, 1)]


def conv(before: int, after: int, kernel: int, groups: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """A convolution without bias that keeps the size; weights N(0, gain^2 / fan_in)."""
    layer = nn.Conv2d(before, after, kernel, padding=kernel // 2, groups=groups, bias=False)
    return initialised(layer, gain)


def linear(before: int, after: int) -> nn.Linear:
    """A linear layer without bias; weights N(0, 1 / fan_in)."""
    return initialised(nn.Linear(before, after, bias=False))


def initialised(layer: Layer, gain: float = 1.0) -> Layer:
    """`layer` with weights N(0, gain^2 / fan_in)."""
    nn.init.normal_(layer.weight, 0.0, gain * layer.weight[0].numel() ** -0.5)
    return layer


def residual(sizes: Sizes, config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """The paper's networks; z 64 ~ N(0, 1)."""
    sizes, n = sizes.scaled(config.width), spec.n_classes
    if not config.labels:
        return {"gen": R3Generator(spec.image, sizes), "dis": R3Discriminator(spec.image, sizes)}
    ch = sizes.widths[0]
    return {
        "gen": ConditionalGenerator(R3Generator(spec.image, sizes, 2 * N_HIDDEN), n),
        "dis": ConditionalDiscriminator(R3Discriminator(spec.image, sizes, ch), ch, n),
    }


def mlp(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Three layers of 128, for points: common/networks/mlp.py, with as many z as the paper's."""
    image, width, n = spec.image, config.width, spec.n_classes
    if not config.labels:
        return {"gen": MLPGenerator(image, N_HIDDEN, width), "dis": MLPDiscriminator(image, width)}
    ch = scaled(HIDDEN, width)
    return {
        "gen": ConditionalGenerator(MLPGenerator(image, 2 * N_HIDDEN, width), n),
        "dis": ConditionalDiscriminator(MLPDiscriminator(image, width, ch), ch, n),
    }


def quick(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Small enough for minutes on a CPU: common/networks/quick.py; no paper's networks."""
    if not config.labels:
        return quick_critic(config, spec)
    ch, n = scaled(HIDDEN, config.width), spec.n_classes
    dis = quick_critic(config, spec, ch)["dis"]
    gen = quick_generator(spec.image, config.width, 2 * N_HIDDEN)
    return {"gen": ConditionalGenerator(gen, n), "dis": ConditionalDiscriminator(dis, ch, n)}


SMALL = Sizes((256, 256, 128, 64))

build = Architectures(
    small=partial(residual, SMALL),
    cifar10=partial(residual, Sizes((768, 768, 768, 768))),
    ffhq64=partial(residual, Sizes((768, 768, 768, 768, 384))),
    ffhq256=partial(residual, Sizes((768, 768, 768, 768, 384, 192, 96))),
    quick=quick,
    mlp=mlp,
)
