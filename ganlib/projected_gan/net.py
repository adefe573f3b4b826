"""Projected GAN's networks: FastGAN's generator, and discriminators of mixed features.

Sauer et al. 2021, sections 3 and 4; sizes and initial laws as in the authors' code, pg_modules.
"""

from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, scaled
from ganlib.common.layers import LEAK
from ganlib.common.layers.spectral_norm import SNConv2d
from ganlib.fastgan.net import FastGenerator, Maps, Sizes, check_square

from .features import pyramid_of
from .updater import Config

LADDER = (1, 1, 2, 4, 8)
"""Channels of the discriminator of the largest maps, in those of its first; others join later."""
LAST, LEAST = 7, 4
"""Maps are not halved to sides below the first; and a discriminator's kernel needs the second."""
EPS = 1e-8


class ProjectedGenerator(FastGenerator):
    """FastGAN's with one bias, z of mean square 1, and images that are never bounded."""

    def maps(self, z: Tensor) -> Maps:
        return super().maps(z * (z.square().mean(1, keepdim=True) + EPS).rsqrt())

    def bounded(self, x: Tensor) -> Tensor:
        return x


# --- What is fixed


class Stretch(nn.Module):
    """Bilinear to another side, as a product with a matrix from both sides: its gradient is one
    too, the same every time on a GPU. corners: those of both stay; else without aliases.
    """

    matrix: Tensor

    def __init__(self, before: int, after: int, corners: bool = False) -> None:
        super().__init__()
        matrix = F.interpolate(
            torch.eye(before)[None, None],
            (after, before),
            mode="bilinear",
            align_corners=corners,
            antialias=after < before,
        )
        self.register_buffer("matrix", matrix[0, 0], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, before, before) -> (N, C, after, after)."""
        matrix = self.matrix.to(x.dtype)
        return matrix @ x @ matrix.mT if len(matrix) != x.shape[-1] else x


class FixedConv(nn.Module):
    """A 1x1 convolution of PyTorch's initial weights, which are kept and never trained."""

    weight: Tensor
    bias: Tensor

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        for name, tensor in nn.Conv2d(before, after, 1).named_parameters():
            self.register_buffer(name, tensor.detach())

    def forward(self, h: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, after, H, W)."""
        return F.conv2d(h, self.weight, self.bias)


class Mixing(nn.Module):
    """Maps of so many channels and these sides, the largest first, to maps that each know of all
    smaller ones: mixed across channels, then added to what is smaller, doubled and mixed again.
    """

    def __init__(self, maps: list[tuple[int, int]], ch: int) -> None:
        super().__init__()
        wide = [ch << k for k in range(len(maps))]
        sides = [side for _, side in maps]
        pairs = zip(maps, wide, strict=True)
        self.channels = nn.ModuleList(FixedConv(before, w) for (before, _), w in pairs)
        self.after = [ch, *wide[:-1]]
        self.sides = [2 * sides[0], *sides[:-1]]
        self.ups = nn.ModuleList(
            Stretch(side, larger, corners=True)
            for side, larger in zip(sides, self.sides, strict=True)
        )
        self.scales = nn.ModuleList(FixedConv(*pair) for pair in zip(wide, self.after, strict=True))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        h: Tensor | None = None
        found: list[Tensor] = []
        for k in reversed(range(len(maps))):
            own = self.channels[k](maps[k])
            h = self.scales[k](self.ups[k](own if h is None else own + h))
            found.insert(0, h)
        return found


# --- What is trained


def head(widths: tuple[int, ...]) -> nn.Sequential:
    """(N, widths[0], H, W) -> logits of patches (N, 1, H', W')."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [SNConv2d(before, after, 4, stride=2, padding=1), nn.BatchNorm2d(after)]
        layers.append(nn.LeakyReLU(LEAK))
    return nn.Sequential(*layers, SNConv2d(widths[-1], 1, 4, bias=False))


class ProjectedDiscriminator(nn.Module):
    """A discriminator for each of the mixed maps. The network that they are of is no part of it:
    see looks_through().

    channels: of images as the network takes them; seen: their side there.
    """

    def __init__(self, config: Config, spec: DataSpec, ch: int) -> None:
        super().__init__()
        channels, side, _ = spec.image
        own, seen = pyramid_of(config.network_for(channels)), config.seen(channels, side)
        self.channels = own.channels
        self.resize = Stretch(side, seen)
        self.mixing = Mixing([(n, -(-seen // times)) for n, times in own.maps], ch)
        heads = []
        for k, side in enumerate(self.mixing.sides):
            halvings = min(len(LADDER) - 1 - k, max(0, (side // LAST).bit_length() - 1))
            heads.append(head(tuple(ch * n for n in LADDER[k : k + halvings + 1])))
        self.heads = nn.ModuleList(heads)
        self.networks: tuple[nn.Module, ...] = ()

    def looks_through(self, network: nn.Module) -> None:
        """Judge by the maps of this network, which stays the updater's."""
        self.networks = (network,)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, side, side) -> logits (N, K) of all maps; y is not used."""
        x = self.resize(x)
        if x.shape[1] != self.channels:
            x = x.mean(1, keepdim=True).expand(-1, self.channels, -1, -1)
        (network,) = self.networks
        mixed = self.mixing(network(x))
        logits = [head(h).flatten(1) for head, h in zip(self.heads, mixed, strict=True)]
        return torch.cat(logits, 1)


# --- Sizes


def networks(
    sizes: Sizes, config: Config, spec: DataSpec, noisy: bool = False, ch: int = 64
) -> dict[str, nn.Module]:
    """G and D, with PyTorch's initial weights. noisy: whether G has noise and two convolutions at
    every side. ch: of D's largest maps.
    """
    check_square(spec.image)
    gen = Sizes(scaled(sizes.ch, config.width), sizes.n_hidden, sizes.reach)
    return {
        "gen": ProjectedGenerator(spec.image, gen, lambda _: noisy, copies=False, bias=True),
        "dis": ProjectedDiscriminator(config, spec, scaled(ch, config.width)),
    }


build = Architectures(
    fastgan=partial(networks, Sizes(128, 256, 16), noisy=True),
    lite=partial(networks, Sizes(128, 256, 16)),
    quick=partial(networks, Sizes(16, 64, 8), ch=32),
)
