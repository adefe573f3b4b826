"""The paper's networks: a U-Net, the same without its skips, and a discriminator of patches."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers import LEAK
from ganlib.common.layers.basic import Dropout
from ganlib.common.layers.init import init_gains, init_normal
from ganlib.common.layers.label_maps import Shown, check_sides, check_sizes
from ganlib.common.layers.reparametrized import Conv2d, ConvTranspose2d
from ganlib.common.networks.patchgan import PatchDiscriminator

from .updater import Config

NOISY = 3
"""Layers with dropout, from the bottleneck on."""


# --- Generator


def conv(n_in: int, n_out: int) -> nn.Conv2d:
    return Conv2d(n_in, n_out, 4, 2, 1, bias=False)


def halving(n_in: int, n_out: int, norm: bool) -> nn.Sequential:
    """(N, n_in, 2 H, 2 W) -> (N, n_out, H, W)."""
    norms = [nn.BatchNorm2d(n_out)] if norm else []
    return nn.Sequential(nn.LeakyReLU(LEAK), conv(n_in, n_out), *norms)


def doubling(n_in: int, n_out: int, noise: bool) -> nn.Sequential:
    """(N, n_in, H, W) -> (N, n_out, 2 H, 2 W)."""
    deconv = ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=False)
    noises = [Dropout()] if noise else []
    return nn.Sequential(nn.ReLU(), deconv, nn.BatchNorm2d(n_out), *noises)


class UNet(Generator):
    """Sources (N, C', H, W) to images (N, channels, H, W): convolutions 4x4 that halve them as
    often as there are `widths`, their output channels, and as many that double them again.

    Batch normalisation in all but the first, the narrowest and the last; dropout is the only noise.
    skips: each doubling but the first is given, beside what the one before it made, what the
    halving to that size made; without them it is the paper's encoder-decoder.
    """

    def __init__(self, shown: Shown, channels: int, widths: Sequence[int], skips: bool) -> None:
        super().__init__(n_hidden=0, latent="normal")
        self.multiple = 2 ** len(widths)
        self.shown, self.skips = shown, skips
        first, *others = pairwise([shown.channels, *widths])
        downs = [halving(*pair, norm=k < len(others)) for k, pair in enumerate(others, 1)]
        self.downs = nn.ModuleList([conv(*first), *downs])
        narrow, *wider = reversed(widths)
        entering = [narrow, *((2 if skips else 1) * width for width in wider)]
        pairs = zip(entering, wider, strict=False)
        ups = [doubling(*pair, noise=k < NOISY) for k, pair in enumerate(pairs)]
        last = ConvTranspose2d(entering[-1], channels, 4, 2, 1)
        self.ups = nn.ModuleList([*ups, nn.Sequential(nn.ReLU(), last, nn.Tanh())])
        init_normal(self, 0.02)
        init_gains(self, 0.02)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, 0) and sources, images or maps, of any sides that are multiples of `multiple`."""
        check_sides(y, self.multiple)
        h = self.shown(y, next(self.parameters()))
        below: list[Tensor] = []
        for down in self.downs:
            h = down(h)
            below.append(h)
        below.pop()
        for up in self.ups:
            h = up(h)
            if self.skips and below:
                h = torch.cat([below.pop(), h], 1)
        return h


# --- Discriminator


class PairDiscriminator(nn.Module):
    """A PatchGAN of the source and the image; without `sees_source` of the image alone."""

    def __init__(
        self, shown: Shown, channels: int, ch: int, n_layers: int, sees_source: bool
    ) -> None:
        super().__init__()
        self.shown, self.sees_source = shown, sees_source
        both = channels + (shown.channels if sees_source else 0)
        self.patches = PatchDiscriminator(both, nn.BatchNorm2d, ch, n_layers)
        init_normal(self, 0.02)
        init_gains(self, 0.02)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, H, W) and their sources to logits (N, 1, h, w)."""
        return self.patches(x, self.shown(y, x) if self.sees_source else None)


# --- Sizes


def translator(
    config: Config, spec: DataSpec, gen_ch: int, dis_ch: int, skips: bool = True
) -> dict[str, nn.Module]:
    """gen_ch, dis_ch: channels after the first halving, which later ones double up to 8 times.

    UserError for pairs that differ in size, or are too small for the discriminator.
    """
    check_sizes(spec, "pix2pix")
    channels, height, width = spec.image
    least = 3 << config.n_layers if config.n_layers else 1
    if min(height, width) < least:
        raise UserError(
            f"A discriminator of {config.n_layers} layers needs images of {least} pixels at least, "
            f"and these are {width}x{height}: give a smaller --n-layers."
        )
    ch = scaled(gen_ch, config.width)
    widths = [scaled(ch, min(2**k, 8)) for k in range(config.halvings(height, width))]
    gen = UNet(Shown(spec), channels, widths, skips)
    dis_ch = scaled(dis_ch, config.width)
    dis = PairDiscriminator(Shown(spec), channels, dis_ch, config.n_layers, config.conditional)
    return {"gen": gen, "dis": dis}


build = Architectures(
    unet=partial(translator, gen_ch=64, dis_ch=64),
    encoder_decoder=partial(translator, gen_ch=64, dis_ch=64, skips=False),
    quick=partial(translator, gen_ch=16, dis_ch=16),
)
