"""StyleGAN2's networks: Karras et al. 2020, section 4: images as sums of those of all sizes, and a
residual discriminator; sizes as in NVlabs/stylegan2-ada-pytorch, training/networks.py and train.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers.progressive import EqualizedConv2d, MinibatchDeviation
from ganlib.common.layers.resampling import Blur, Down, Up

from .config import SMALLEST, Config
from .layers import ClassVector, Dense, Mapping, StyledConv2d, ToImage, leaky

AVERAGING = 0.005
"""What a batch's mean of w is of their running mean."""


@dataclass(frozen=True)
class Sizes:
    """channels: of images of one pixel, half as many for each doubling of their side, but no more
    than `most`, which is the length of z and of w too. mapping: layers from z to w. residual:
    whether the discriminator's blocks are.
    """

    channels: int
    most: int = 512
    mapping: int = 2
    residual: bool = True

    def widths(self, side: int, width: float) -> list[int]:
        """Channels at 4 pixels, 8, ..., `side`, `width` times as many."""
        sides = [SMALLEST << k for k in range((side // SMALLEST).bit_length())]
        return [scaled(min(self.channels // n, self.most), width) for n in sides]


class StyleGenerator(Generator):
    """z -> w -> images. A constant of 4x4, and from each size to the next two styled convolutions;
    the image is the sum of what each size adds, brought to the last one. No tanh.

    The code is w (N, n_style), or one for each of the n_styles layers: (N, n_styles, n_style).
    """

    w_mean: Tensor

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        n_hidden: int,
        n_style: int,
        n_mapping: int,
        n_classes: int,
    ) -> None:
        super().__init__(n_hidden, "normal")
        self.n_styles = 2 * len(widths)
        self.mapping = Mapping(n_hidden, n_style, n_mapping, n_classes)
        self.constant = nn.Parameter(torch.randn(widths[0], SMALLEST, SMALLEST))
        layers = [StyledConv2d(widths[0], widths[0], n_style, SMALLEST)]
        for k, (small, large) in enumerate(pairwise(widths), 1):
            side = SMALLEST << k
            layers.append(StyledConv2d(small, large, n_style, side, up=True))
            layers.append(StyledConv2d(large, large, n_style, side))
        self.layers = nn.ModuleList(layers)
        self.images = nn.ModuleList(ToImage(ch, channels, n_style) for ch in widths)
        self.up = Up()
        self.register_buffer("w_mean", torch.zeros(n_style))

    def forward(
        self,
        z: Tensor,
        y: Tensor | None = None,
        other: Tensor | None = None,
        first: Tensor | None = None,
    ) -> Tensor:
        """Images (N, C, H, W) of code(z, y, other, first)."""
        return self.draw(self.code(z, y, other, first))

    def code(
        self,
        z: Tensor,
        y: Tensor | None = None,
        other: Tensor | None = None,
        first: Tensor | None = None,
    ) -> Tensor:
        """z (N, n_hidden), y int64 (N,) or float (N, n_classes) -> w (N, n_style). With other
        latents beside z, those of the layers from number `first`, 0-dim, on: (N, n_styles,
        n_style). In training mode the running mean of w moves, by z alone.
        """
        w: Tensor = self.mapping(z, y)
        if self.training:
            self.w_mean.lerp_(w.detach().mean(0).to(self.w_mean), AVERAGING)
        if other is None or first is None:
            return w
        before = torch.arange(self.n_styles, device=w.device)[:, None] < first
        return torch.where(before, w[:, None], self.mapping(other, y)[:, None])

    def draw(self, code: Tensor, y: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) of codes; y is in them."""
        return self._sums(code)[-1]

    def growing(self, code: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """The sums of what the sizes before the last add."""
        return self._sums(code)[:-1]

    def _sums(self, code: Tensor) -> list[Tensor]:
        codes = code if code.dim() == 3 else code[:, None].expand(-1, self.n_styles, -1)
        styles, sums = codes.unbind(1), list[Tensor]()
        h = self.constant.expand(code.shape[0], -1, -1, -1)  # no number of Python's
        for k, to_image in enumerate(self.images):
            for j in range(max(0, 2 * k - 1), 2 * k + 1):
                h = self.layers[j](h, styles[j])
            # the next size's first convolution has the same style as this size's image
            more = to_image(h, styles[2 * k + 1])
            sums.append(self.up(sums[-1]) + more if sums else more)
        return sums

    def truncate(self, code: Tensor, psi: float) -> Tensor:
        """w psi of the way from the running mean of w."""
        return self.w_mean.lerp(code, psi)


class DisBlock(nn.Module):
    """Two 3x3 convolutions, the second of which halves the size, and 1x1 beside them."""

    def __init__(self, in_ch: int, out_ch: int, residual: bool) -> None:
        super().__init__()
        self.c0 = EqualizedConv2d(in_ch, in_ch, 3, padding=1, gain=1.0)
        self.blur = Blur(padding=2)
        self.c1 = EqualizedConv2d(in_ch, out_ch, 3, stride=2, gain=1.0)
        self.skip: nn.Module | None = None
        if residual:
            self.skip = EqualizedConv2d(in_ch, out_ch, 1, bias=False, gain=math.sqrt(0.5))
            self.down = Down()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_ch, H, W) -> (N, out_ch, H / 2, W / 2)."""
        h: Tensor = self.c1(self.blur(leaky(self.c0(x))))
        if self.skip is None:
            return leaky(h)
        return leaky(h, 1.0) + self.skip(self.down(x))  # half the variance from each


class DisEnd(nn.Module):
    """Of features (N, ch, 4, 4): how much a group of samples differs, a convolution, and linear
    layers to logits (N, 1); with classes the product with a vector of the class.
    """

    def __init__(self, ch: int, group: int, n_classes: int) -> None:
        super().__init__()
        self.deviation = MinibatchDeviation(group)
        self.c0 = EqualizedConv2d(ch + 1, ch, 3, padding=1, gain=1.0)
        self.l0 = Dense(ch * SMALLEST**2, ch)
        self.l1 = Dense(ch, ch if n_classes else 1)
        self.classes = ClassVector(n_classes, ch) if n_classes else None

    def forward(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        h = leaky(self.c0(self.deviation(h)))
        h = self.l1(leaky(self.l0(h.flatten(1))))
        if self.classes is None:
            return h
        assert y is not None
        return (h * self.classes(y)).sum(1, keepdim=True) / math.sqrt(h.shape[1])


class StyleDiscriminator(nn.Module):
    """1x1, blocks down to 4 pixels, and DisEnd; widths as the generator's."""

    def __init__(
        self, channels: int, widths: Sequence[int], residual: bool, group: int, n_classes: int
    ) -> None:
        super().__init__()
        self.first = EqualizedConv2d(channels, widths[-1], 1, gain=1.0)
        blocks = [DisBlock(large, small, residual) for large, small in pairwise(widths[::-1])]
        self.blocks = nn.ModuleList(blocks)
        self.last = DisEnd(widths[0], group, n_classes)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W), with classes y int64 (N,) or float (N, n_classes) -> logits (N, 1)."""
        h = leaky(self.first(x))
        for block in self.blocks:
            h = block(h)
        logits: Tensor = self.last(h, y)
        return logits


def styled(sizes: Sizes, config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """The paper's networks; z ~ N(0, 1)."""
    channels, side, _ = spec.image
    widths, n_classes = sizes.widths(side, config.width), spec.n_classes if config.labels else 0
    n_style = scaled(sizes.most, config.width)
    gen = StyleGenerator(channels, widths, sizes.most, n_style, sizes.mapping, n_classes)
    dis = StyleDiscriminator(channels, widths, sizes.residual, config.group, n_classes)
    return {"gen": gen, "dis": dis}


def auto(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """The paper's from 512 pixels on, of half as many channels below."""
    return styled(WIDE if spec.image[1] >= 512 else NARROW, config, spec)


WIDE, NARROW = Sizes(32768), Sizes(16384)

build = Architectures(
    auto=auto,
    cifar=partial(styled, Sizes(32768, residual=False)),
    paper256=partial(styled, replace(NARROW, mapping=8)),
    paper512=partial(styled, replace(WIDE, mapping=8)),
    paper1024=partial(styled, replace(WIDE, mapping=8)),
    quick=partial(styled, Sizes(512, most=128)),
)
