"""Residual blocks and networks of WGAN-GP (gan_cifar_resnet.py), SNGAN (*_models/resblocks.py) and
what follows them.

What the one calls He and the other Glorot with gain sqrt(2) is the same distribution.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import Shape
from ganlib.common.generator import Generator
from ganlib.common.layers import BatchNorm2d, Factory
from ganlib.common.layers.conditional import ClassBatchNorm2d
from ganlib.common.layers.init import init_glorot_uniform
from ganlib.common.layers.reparametrized import conv_downsample, upsample_conv


class ResBlock(nn.Module):
    """The convolutions of a residual block: two 3x3, a 1x1 in the shortcut if the size changes.

    That one commutes with means and copies of pixels, and is made of the smaller image.
    """

    c1: Any
    c2: Any

    def __init__(
        self, in_channels: int, hidden: int, out_channels: int, factor: int, conv: Factory
    ) -> None:
        super().__init__()
        resized = factor != 1 or in_channels != out_channels
        self.c1 = conv(in_channels, hidden, 3, padding=1)
        self.c2 = conv(hidden, out_channels, 3, padding=1)
        self.c_sc = conv(in_channels, out_channels, 1) if resized else nn.Identity()
        init_glorot_uniform(self, math.sqrt(2))
        init_glorot_uniform(self.c_sc)


class GenBlock(ResBlock):
    """BN, ReLU, nearest-neighbour upsampling, conv, BN, ReLU, conv; shortcut: upsample, 1x1.

    norm: made from a number of channels, and called with the images and the condition.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        conv: Factory = nn.Conv2d,
        norm: Factory = BatchNorm2d,
    ) -> None:
        super().__init__(in_channels, out_channels, out_channels, 2, conv)
        self.b1 = norm(in_channels)
        self.b2 = norm(out_channels)
        self.resize = nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor, *condition: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, 2 * H, 2 * W)."""
        h = upsample_conv(self.c1, F.relu(self.b1(x, *condition)), 2)
        h = self.c2(F.relu(self.b2(h, *condition)))
        return h + self.resize(self.c_sc(x))


class DisBlock(ResBlock):
    """ReLU, conv, ReLU, conv, mean pool; shortcut: 1x1, mean pool.

    down: the divisor of H and W; hidden: channels between the convolutions (default: in_channels).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        down: int = 1,
        hidden: int | None = None,
        conv: Factory = nn.Conv2d,
    ) -> None:
        super().__init__(in_channels, hidden or in_channels, out_channels, down, conv)
        self.down = down
        self.resize = nn.AvgPool2d(down) if down > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / down, W / down)."""
        h = conv_downsample(self.c2, F.relu(self.c1(F.relu(x))), self.down)
        return h + self.c_sc(self.resize(x))


class WideDisBlock(DisBlock):
    """With as many channels between its convolutions as behind them: SAGAN's and BigGAN's."""

    def __init__(
        self, in_channels: int, out_channels: int, down: int = 1, conv: Factory = nn.Conv2d
    ) -> None:
        super().__init__(in_channels, out_channels, down, out_channels, conv)


class OptimizedDisBlock(ResBlock):
    """The first block of a critic: conv, ReLU, conv, mean pool; shortcut: mean pool, 1x1.

    It starts without a ReLU, because its input is the image.
    """

    def __init__(self, in_channels: int, out_channels: int, conv: Factory = nn.Conv2d) -> None:
        super().__init__(in_channels, out_channels, out_channels, 2, conv)
        self.resize = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / 2, W / 2)."""
        h = conv_downsample(self.c2, F.relu(self.c1(x)), 2)
        return h + self.c_sc(self.resize(x))


class ResNetGenerator(Generator):
    """Linear, blocks that double the size, BN, ReLU, conv, tanh.

    widths: channels of the smallest image and behind each block; H and W: multiples of 2 ** blocks.
    Source: sngan_projection gen_models/resnet_32.py (256 four times) and resnet.py;
    improved_wgan_training gan_cifar_resnet.py (128 four times; its BN has epsilon 1e-5).
    """

    def __init__(
        self,
        image: Shape,
        widths: Sequence[int],
        block: Factory = GenBlock,
        conv: Factory = nn.Conv2d,
        linear: Factory = nn.Linear,
    ) -> None:
        super().__init__(n_hidden=128, latent="normal")
        (channels, height, width), n = image, len(widths) - 1
        self.bottom = (widths[0], height >> n, width >> n)
        self.l1 = linear(self.n_hidden, math.prod(self.bottom))
        self.blocks = nn.ModuleList(block(a, b, conv=conv) for a, b in pairwise(widths))
        self.b5 = BatchNorm2d(widths[-1])
        self.c5 = conv(widths[-1], channels, 3, padding=1)
        init_glorot_uniform(self.l1)
        init_glorot_uniform(self.c5)

    def images(self, z: Tensor, *condition: Tensor) -> Tensor:
        """z (N, 128) -> images (N, C, H, W) in [-1, 1]; condition: the blocks'."""
        h = self.l1(z).unflatten(1, self.bottom)
        for block in self.blocks:
            h = block(h, *condition)
        return torch.tanh(self.c5(F.relu(self.b5(h))))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, 128) -> images (N, C, H, W) in [-1, 1]; y is not used."""
        return self.images(z)


class ClassResNetGenerator(ResNetGenerator):
    """The same with class-conditional batch normalisation in its blocks; the last one is plain.

    Source: sngan_projection gen_models/resnet_32.py, resnet_64.py and resnet.py.
    """

    def __init__(
        self,
        image: Shape,
        widths: Sequence[int],
        n_classes: int,
        conv: Factory = nn.Conv2d,
        linear: Factory = nn.Linear,
    ) -> None:
        block = partial(GenBlock, norm=partial(ClassBatchNorm2d, n_classes=n_classes))
        super().__init__(image, widths, block=block, conv=conv, linear=linear)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, 128) and y, int64 (N,) or float (N, n_classes) -> images in [-1, 1]."""
        assert y is not None
        return self.images(z, y)


def global_sum(h: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C): SNGAN's pooling."""
    return h.sum((2, 3))


def global_mean(h: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C): WGAN-GP's pooling."""
    return h.mean((2, 3))


class ResNetFeatures(nn.Module):
    """Blocks, the first `down` of which halve the size, ReLU, pool: all of a discriminator but its
    last layer.

    widths: channels behind each block; H and W: multiples of 2 ** down.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        down: int,
        conv: Factory = nn.Conv2d,
        pool: Callable[[Tensor], Tensor] = global_sum,
        block: Factory = DisBlock,
    ) -> None:
        super().__init__()
        factors = [2 if k < down else 1 for k in range(1, len(widths))]
        self.blocks = nn.Sequential(
            OptimizedDisBlock(channels, widths[0], conv=conv),
            *(
                block(a, b, down=factor, conv=conv)
                for factor, (a, b) in zip(factors, pairwise(widths), strict=True)
            ),
        )
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) -> (N, widths[-1])."""
        return self.pool(F.relu(self.blocks(x)))


class ResNetDiscriminator(ResNetFeatures):
    """Four blocks of `ch` channels, the first two of which halve the size, ReLU, pool, linear l5.

    H and W: multiples of 4. Source: sngan_projection dis_models/snresnet_32.py (spectral
    normalisation, global_sum, l5 without bias); improved_wgan_training gan_cifar_resnet.py (plain
    layers, global_mean).
    """

    def __init__(
        self,
        image: Shape,
        ch: int = 128,
        conv: Factory = nn.Conv2d,
        linear: Factory = nn.Linear,
        pool: Callable[[Tensor], Tensor] = global_mean,
    ) -> None:
        super().__init__(image[0], [ch] * 4, 2, conv, pool)
        self.l5 = linear(ch, 1)
        init_glorot_uniform(self.l5)

    def features(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) -> what l5 sees (N, ch)."""
        return super().forward(x)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) -> logits (N, 1); y is not used."""
        return self.l5(self.features(x))
