"""Networks that grow: a block and a head for each size of images, from 4 pixels on.

`level` counts the sizes: 0 for 4 pixels, each a doubling. `alpha`, 0-dim, fades the newest in from
0 to 1; None: it is all there is, and nothing of what was before is computed.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, Generator, NetConfig, scaled
from ganlib.common.layers import LEAK
from ganlib.common.layers.progressive import (
    HE,
    EqualizedConv2d,
    EqualizedLinear,
    EqualizedSeed,
    MinibatchDeviation,
    pixel_norm,
)
from ganlib.common.layers.reparametrized import upsample_conv
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator

from .config import SMALLEST

Function = Callable[[Tensor], Tensor]
Alpha = Tensor | None


def level_of(side: int) -> int:
    """How many doublings make images of 4 pixels this large; of points -1."""
    return (side // SMALLEST).bit_length() - 1


def doubled(x: Tensor) -> Tensor:
    """Each pixel as a square of four."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def halved(x: Tensor) -> Tensor:
    """The mean of each square of four pixels."""
    return F.avg_pool2d(x, 2)


def fade(old: Tensor, new: Tensor, alpha: Tensor) -> Tensor:
    """(1 - alpha) old + alpha new, at 0 and 1 exactly one of them."""
    return torch.lerp(old, new, alpha.to(new.dtype))


def faded(x: Tensor, alpha: Alpha) -> Tensor:
    """Real images while their size fades in: as blurred as the generator's are."""
    return x if alpha is None else fade(doubled(halved(x)), x, alpha)


def leaky_relu(h: Tensor) -> Tensor:
    return F.leaky_relu(h, LEAK)


def norm_last(h: Tensor) -> Tensor:
    """The paper's order."""
    return pixel_norm(leaky_relu(h))


def norm_first(h: Tensor) -> Tensor:
    """chainer-gan-lib's."""
    return leaky_relu(pixel_norm(h))


# --- Generator


class FirstBlock(nn.Module):
    """c0, z (N, n_hidden) -> (N, ch, 4, 4), and a convolution; `after` follows both."""

    def __init__(self, c0: nn.Module, ch: int, after: Function) -> None:
        super().__init__()
        self.c0 = c0
        self.c1 = EqualizedConv2d(ch, ch, 3, padding=1)
        self.after = after

    def forward(self, h: Tensor) -> Tensor:
        return self.after(self.c1(self.after(self.c0(h))))


class GrowBlock(FirstBlock):
    """The same of images of twice the size: (N, in_ch, H, W) -> (N, ch, 2 H, 2 W)."""

    def forward(self, h: Tensor) -> Tensor:
        return self.after(self.c1(self.after(upsample_conv(self.c0, h, 2))))


class ProgressiveGenerator(Generator):
    """widths: channels at each level. after: what follows each convolution but the heads', which
    have no tanh and start with `gain`.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], n_hidden: int, after: Function, gain: float
    ) -> None:
        super().__init__(n_hidden, "normal")
        blocks: list[nn.Module] = [
            GrowBlock(EqualizedConv2d(i, o, 3, padding=1), o, after) for i, o in pairwise(widths)
        ]
        seed = EqualizedSeed(n_hidden, widths[0], SMALLEST)
        self.blocks = nn.ModuleList([FirstBlock(seed, widths[0], after), *blocks])
        self.heads = nn.ModuleList([EqualizedConv2d(ch, channels, 1, gain=gain) for ch in widths])

    def forward(
        self, z: Tensor, y: Tensor | None = None, level: int | None = None, alpha: Alpha = None
    ) -> Tensor:
        """z (N, n_hidden) -> images of this level, by default of the last one; y is not used."""
        level = len(self.blocks) - 1 if level is None else level
        h = pixel_norm(z)
        for block in self.blocks[:level]:
            h = block(h)
        x: Tensor = self.heads[level](self.blocks[level](h))
        return x if alpha is None else fade(doubled(self.heads[level - 1](h)), x, alpha)

    def growing(self, code: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """By the heads of the sizes before the last, as their own stages left them."""
        h, images = pixel_norm(code), []
        for block, head in zip(self.blocks[:-1], self.heads, strict=False):
            h = block(h)
            images.append(head(h))
        return images


class OneSizeGenerator(MLPGenerator):
    """common/networks/mlp.py's; of level and alpha there is nothing to know."""

    def forward(
        self, z: Tensor, y: Tensor | None = None, level: int | None = None, alpha: Alpha = None
    ) -> Tensor:
        return super().forward(z)


# --- Discriminator


class ShrinkBlock(nn.Module):
    """(N, in_ch, 2 H, 2 W) -> (N, out_ch, H, W)."""

    def __init__(self, in_ch: int, out_ch: int) -> None:
        super().__init__()
        self.c0 = EqualizedConv2d(in_ch, in_ch, 3, padding=1)
        self.c1 = EqualizedConv2d(in_ch, out_ch, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        return halved(leaky_relu(self.c1(leaky_relu(self.c0(h)))))


class LastBlock(nn.Module):
    """(N, ch, 4, 4) -> logits (N, 1), of samples among others."""

    def __init__(self, ch: int, group: int | None, gain: float) -> None:
        super().__init__()
        self.c0 = EqualizedConv2d(ch + 1, ch, 3, padding=1)
        self.l0 = EqualizedLinear(ch * SMALLEST**2, ch)
        self.l1 = EqualizedLinear(ch, 1, gain=gain)
        self.deviation = MinibatchDeviation(group)

    def forward(self, h: Tensor) -> Tensor:
        h = leaky_relu(self.c0(self.deviation(h)))
        return self.l1(leaky_relu(self.l0(h.flatten(1))))


class ProgressiveDiscriminator(nn.Module):
    """The generator's mirror image; the level is that of the images."""

    def __init__(
        self, channels: int, widths: Sequence[int], group: int | None, gain: float
    ) -> None:
        super().__init__()
        blocks = [ShrinkBlock(i, o) for o, i in pairwise(widths)]
        self.blocks = nn.ModuleList([LastBlock(widths[0], group, gain), *blocks])
        self.heads = nn.ModuleList([EqualizedConv2d(channels, ch, 1) for ch in widths])

    def forward(self, x: Tensor, alpha: Alpha = None) -> Tensor:
        """x (N, C, H, W) -> logits (N, 1)."""
        level = level_of(x.shape[-1])
        h = leaky_relu(self.heads[level](x))
        for k in range(level, 0, -1):
            h = self.blocks[k](h)
            if k == level and alpha is not None:
                h = fade(leaky_relu(self.heads[level - 1](halved(x))), h, alpha)
        return self.blocks[0](h)


# --- Sizes


def growing(
    maps: int,
    most: int,
    config: NetConfig,
    spec: DataSpec,
    after: Function = norm_last,
    gain: float = 1,
    group: int | None = None,
) -> dict[str, nn.Module]:
    """Channels at level k are maps / 2^k, but no more than `most`, times the settings' width; z has
    `most` components. after: see ProgressiveGenerator. gain: of the layers that no ReLU follows.
    group: of minibatch deviation.
    """
    channels, side, _ = spec.image
    levels = range(level_of(side) + 1)
    widths = [scaled(max(1, min(maps >> k, most)), config.width) for k in levels]
    gen = ProgressiveGenerator(channels, widths, most, after, gain)
    return {"gen": gen, "dis": ProgressiveDiscriminator(channels, widths, group, gain)}


def mlp(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Networks of one size, for points."""
    gen = OneSizeGenerator(spec.image, width=config.width)
    return {"gen": gen, "dis": MLPDiscriminator(spec.image, config.width)}


build = Architectures(
    chainer=partial(growing, 2048, 512, after=norm_first, gain=HE),
    paper=partial(growing, 4096, 512),
    cifar10=partial(growing, 2048, 128),
    quick=partial(growing, 128, 64, group=4),
    mlp=mlp,
)
