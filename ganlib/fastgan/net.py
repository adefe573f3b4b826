"""FastGAN's networks: Liu et al. 2021, section 3; sizes as in the authors' code, models.py."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers import LEAK
from ganlib.common.layers.basic import PixelNoise
from ganlib.common.layers.init import init_gains, init_normal
from ganlib.common.layers.reparametrized import upsample_conv
from ganlib.common.layers.spectral_norm import SNConv2d, SNConvTranspose2d

from .updater import SMALLEST, Config

STD = 0.02
FIRST, LAST = 4, 8
"""Sides of the maps that G begins with, and that D ends with."""
DRAWN, STEM, BOUNDED = 128, 256, 1024
"""Sides: of what D draws and of the images' smaller copies, at most; of D's first maps, at most; of
images from which on G ends in tanh.
"""
Maps = Mapping[int, Tensor]
"""Maps (N, ch, side, side) by their sides."""


@dataclass(frozen=True)
class Sizes:
    """ch: channels of G's maps of 128 pixels. reach: how many times larger than those that weight
    them G's maps are; D's, half as many times smaller.
    """

    ch: int
    n_hidden: int
    reach: int


conv = partial(SNConv2d, bias=False)
strided = partial(conv, kernel_size=4, stride=2, padding=1)


def channels(side: int, ch: int) -> int:
    """Of G's maps of a side."""
    return max(1, ch * (64 if side < 64 else 128) // side)


# --- Parts


class Gate(nn.Module):
    """nn.GLU(1), whose own gradient is not in channels_last, which the norm before it takes four
    times as long over on a CPU.
    """

    def forward(self, h: Tensor) -> Tensor:
        """(N, 2 C, H, W) -> (N, C, H, W)."""
        value, gate = h.chunk(2, dim=1)
        return value * gate.sigmoid()


class Skip(nn.Module):
    """Skip-layer excitation: the channels of one map weighted by a smaller or earlier one."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv(before, after, 4), nn.SiLU(), conv(after, after, 1), nn.Sigmoid()
        )

    def forward(self, h: Tensor, by: Tensor) -> Tensor:
        """h (N, after, H, W), by (N, before, 4 k, 4 k) -> as h."""
        return h * self.layers(avg_pool2d(by, by.shape[-1] // FIRST))


class Up(nn.Module):
    """(N, before, side / 2, side / 2) -> (N, after, side, side): doubled, convolution, norm, gate;
    with `noisy` once more without doubling, and noise before each norm.
    """

    def __init__(self, before: int, after: int, side: int, noisy: bool = False) -> None:
        super().__init__()
        self.first = conv(before, 2 * after, 3, padding=1)
        layers = gated(after, side, noisy)
        if noisy:
            layers += [conv(after, 2 * after, 3, padding=1), *gated(after, side, noisy)]
        self.layers = nn.Sequential(*layers)

    def forward(self, h: Tensor) -> Tensor:
        return self.layers(upsample_conv(self.first, h, 2))


class Down(nn.Module):
    """(N, before, H, W) -> (N, after, H / 2, W / 2), the mean of two ways."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *leaky(strided(before, after)), *leaky(conv(after, after, 3, padding=1))
        )
        self.direct = nn.Sequential(nn.AvgPool2d(2), *leaky(conv(before, after, 1)))

    def forward(self, h: Tensor) -> Tensor:
        return (self.main(h) + self.direct(h)) / 2


class Decoder(nn.Sequential):
    """(N, before, 8, 8) -> pictures (N, channels, side, side) in [-1, 1]."""

    def __init__(self, before: int, after: int, side: int, ch: int) -> None:
        sides = [LAST << k for k in range(1, (side // LAST).bit_length())]
        widths = [before, *(channels(s, ch) for s in sides)]
        ups = [Up(a, b, s) for s, (a, b) in zip(sides, pairwise(widths), strict=True)]
        super().__init__(*ups, conv(widths[-1], after, 3, padding=1), nn.Tanh())


def gated(ch: int, side: int, noisy: bool) -> list[nn.Module]:
    """2 ch channels to ch; the noise has one strength for all."""
    noise = [PixelNoise(1, side, side)] if noisy else []
    return [*noise, nn.BatchNorm2d(2 * ch), Gate()]


def leaky(layer: nn.Conv2d) -> list[nn.Module]:
    """A convolution, a norm and a leaky ReLU."""
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.LeakyReLU(LEAK)]


def fewer(x: Tensor, side: int) -> Tensor:
    """Every k-th pixel of images, (N, C, side, side)."""
    step = x.shape[-1] // side
    return x[:, :, ::step, ::step]


def quarter(h: Tensor, which: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, H / 2, W / 2): of each its quarter of this number, int64 (N,)."""
    parts = h.unflatten(3, (2, -1)).unflatten(2, (2, -1)).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    return parts[torch.arange(len(h), device=h.device), which]


# --- Networks


class FastGenerator(Generator):
    """Doublings from z as maps of 4 pixels, those of a side weighted by those of side / reach.

    noisy: of which sides maps have noise, and two convolutions. copies: whether there is a smaller
    copy of an image, for D. bias: of the last convolution.
    """

    entries = ("pair",)

    def __init__(
        self,
        image: Shape,
        sizes: Sizes,
        noisy: Callable[[int], bool],
        copies: bool = True,
        bias: bool = False,
    ) -> None:
        super().__init__(sizes.n_hidden, "normal")
        self.side, ch, self.reach = image[1], sizes.ch, sizes.reach
        self.small = copy_side(self.side)
        sides = [FIRST << k for k in range(1, (self.side // FIRST).bit_length())]
        before, width = FIRST, partial(channels, ch=ch)
        deconv = SNConvTranspose2d(sizes.n_hidden, 2 * width(FIRST), FIRST, bias=False)
        self.first = nn.Sequential(deconv, *gated(width(FIRST), FIRST, False))
        self.ups, self.skips = nn.ModuleDict(), nn.ModuleDict()
        for side in sides:
            self.ups[str(side)] = Up(width(before), width(side), side, noisy(side))
            if side < BOUNDED and side // self.reach >= FIRST:
                self.skips[str(side)] = Skip(width(side // self.reach), width(side))
            before = side
        self.last = SNConv2d(width(self.side), image[0], 3, padding=1, bias=bias)
        if copies:
            self.last_small = conv(width(self.small), image[0], 1)

    def maps(self, z: Tensor) -> Maps:
        """Of all sides."""
        h = self.first(z[:, :, None, None])
        maps = {FIRST: h}
        for name, up in self.ups.items():
            h, side = up(h), int(name)
            if name in self.skips:
                h = self.skips[name](h, maps[side // self.reach])
            maps[side] = h
        return maps

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) -> images (N, C, side, side), below 1024 pixels not bounded."""
        return self.bounded(self.last(self.maps(z)[self.side]))

    def pair(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The images and their smaller copies, (N, C, small, small)."""
        maps = self.maps(z)
        large, small = self.last(maps[self.side]), self.last_small(maps[self.small])
        return self.bounded(large), self.bounded(small)

    def bounded(self, x: Tensor) -> Tensor:
        """Images as they are to come out."""
        return x.tanh() if self.side >= BOUNDED else x


class FastDiscriminator(nn.Module):
    """Patches of an image and of a smaller copy of it are judged, and real ones drawn again."""

    entries = ("autoencode",)

    def __init__(self, image: Shape, sizes: Sizes) -> None:
        super().__init__()
        n, side, ch, self.reach = image[0], image[1], sizes.ch, sizes.reach // 2
        self.small, self.stem = copy_side(side), min(side, STEM)

        def large(side: int) -> int:
            return max(1, 64 * ch // side)

        def little(side: int) -> int:
            return max(1, 32 * ch // side)

        if side <= STEM:
            first = [conv(n, large(side), 3, padding=1), nn.LeakyReLU(LEAK)]
        else:
            first = [strided(n, large(side // 2)), nn.LeakyReLU(LEAK)]
            while (side := side // 2) > STEM:
                first += leaky(strided(large(side), large(side // 2)))
        self.first = nn.Sequential(*first)
        self.downs, self.skips = nn.ModuleDict(), nn.ModuleDict()
        side = self.stem
        while side > LAST:
            side //= 2
            self.downs[str(side)] = Down(large(2 * side), large(side))
            if side * self.reach <= self.stem:
                self.skips[str(side)] = Skip(large(side * self.reach), large(side))
        self.judge = nn.Sequential(*leaky(conv(large(LAST), large(4), 1)), conv(large(4), 1, 4))

        side = self.small // 2
        layers = [strided(n, little(side)), nn.LeakyReLU(LEAK)]
        while side > LAST:
            layers += leaky(strided(little(side), little(side := side // 2)))
        self.little, self.judge_little = nn.Sequential(*layers), conv(little(LAST), 1, 4)
        self.decoders = nn.ModuleList(
            Decoder(before, n, self.small, max(1, ch // 2))
            for before in (large(LAST), little(LAST), large(2 * LAST))
        )

    def features(self, x: Tensor) -> Tensor:
        """Images of any size as D sees them: what augments them does it on their way in here."""
        return x

    def maps(self, x: Tensor) -> Maps:
        """(N, C, H, W) -> from the stem's side to 8."""
        h = self.first(x)
        maps = {self.stem: h}
        for name, down in self.downs.items():
            h, side = down(h), int(name)
            if name in self.skips:
                h = self.skips[name](h, maps[side * self.reach])
            maps[side] = h
        return maps

    def logits(self, h: Tensor, h_little: Tensor) -> Tensor:
        """The last maps of both to (N, 50)."""
        return torch.cat([self.judge(h).flatten(1), self.judge_little(h_little).flatten(1)], 1)

    def forward(self, x: Tensor, small: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) and its smaller copies, by default its pixels -> logits (N, 50)."""
        x = self.features(x)
        small = fewer(x, self.small) if small is None else self.features(small)
        return self.logits(self.maps(x)[LAST], self.little(small))

    def autoencode(self, x: Tensor, which: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, and (N, 3, C, small, small) as drawn and as seen: the whole image from the last
        maps, again from the copy's, and a quarter of it, of these numbers (N,), from that quarter
        of the maps before.
        """
        x = self.features(x)
        small, maps = fewer(x, self.small), self.maps(x)
        h_little = self.little(small)
        sources = maps[LAST], h_little, quarter(maps[2 * LAST], which)
        drawn = [d(h) for d, h in zip(self.decoders, sources, strict=True)]
        seen = [small, small, fewer(quarter(x, which), self.small)]
        return self.logits(maps[LAST], h_little), torch.stack(drawn, 1), torch.stack(seen, 1)


def copy_side(side: int) -> int:
    """Of an image's smaller copy."""
    return min(DRAWN, side // 2)


def check_square(image: Shape) -> None:
    """ValueError for images of another side than a power of two from 32 on."""
    _, height, width = image
    if height != width or height < SMALLEST or height & (height - 1):
        raise ValueError(f"images are not of {width}x{height}")


def networks(sizes: Sizes, config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Both; of 8, 32, 128 and 512 pixels G has noise."""
    check_square(spec.image)
    sizes = Sizes(scaled(sizes.ch, config.width), sizes.n_hidden, sizes.reach)
    gen = FastGenerator(spec.image, sizes, lambda side: side.bit_length() % 2 == 0)
    found = {"gen": gen, "dis": FastDiscriminator(spec.image, sizes)}
    for network in found.values():
        init_normal(network, STD)
        init_gains(network, STD)
    return found


build = Architectures(
    fastgan=partial(networks, Sizes(64, 256, 16)), quick=partial(networks, Sizes(16, 64, 8))
)
