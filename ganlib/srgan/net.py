"""SRResNet, the generator, and its discriminator: Ledig et al. 2017, figure 4."""

from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.errors import UserError
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers import LEAK
from ganlib.common.networks.dcgan import ConvDiscriminator

from .updater import Config

FIRST, LAST = 9, 9
"""Sides of the kernels that see the source and that draw the image."""
HALVINGS = 4
"""How often D halves an image."""


class ResidualBlock(nn.Module):
    """(N, ch, H, W) -> the same shape; nothing after the sum."""

    def __init__(self, ch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(ch, ch, 3, padding=1),
            nn.BatchNorm2d(ch),
            nn.PReLU(),
            nn.Conv2d(ch, ch, 3, padding=1),
            nn.BatchNorm2d(ch),
        )

    def forward(self, h: Tensor) -> Tensor:
        residual: Tensor = self.layers(h)
        return h + residual


def doubling(ch: int) -> nn.Sequential:
    """(N, ch, H, W) -> (N, ch, 2 H, 2 W): four values for each pixel become a square of four."""
    return nn.Sequential(nn.Conv2d(ch, 4 * ch, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())


class SRResNet(Generator):
    """Residual blocks at the source's size, then doublings of it. Sources of any size.

    source, image: channels of both. Of a PReLU all channels share one slope.
    """

    multiple = 1

    def __init__(self, source: int, image: int, ch: int, blocks: int, doublings: int) -> None:
        super().__init__(n_hidden=0, latent="normal")
        self.first = nn.Sequential(nn.Conv2d(source, ch, FIRST, padding=FIRST // 2), nn.PReLU())
        self.blocks = nn.Sequential(*(ResidualBlock(ch) for _ in range(blocks)))
        self.middle = nn.Sequential(nn.Conv2d(ch, ch, 3, padding=1), nn.BatchNorm2d(ch))
        self.doublings = nn.Sequential(*(doubling(ch) for _ in range(doublings)))
        self.last = nn.Conv2d(ch, image, LAST, padding=LAST // 2)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Sources y (N, C', H, W) in [-1, 1] -> images (N, C, f H, f W), not bounded; z is empty.

        Inside, sources are in [0, 1].
        """
        h = self.first((y + 1) / 2)
        h = h + self.middle(self.blocks(h))
        return self.last(self.doublings(h))


def discriminator(image: Shape, ch: int, dense: int) -> ConvDiscriminator:
    """Images (N, C, H, W) -> logits (N, 1). Strides round up, so that it takes images of every
    size; its dense layer is made for this one.
    """
    channels, *size = image
    widths = [ch, ch, 2 * ch, 2 * ch, 4 * ch, 4 * ch, 8 * ch, 8 * ch]
    convs = [
        nn.Conv2d(n_in, n_out, 3, stride=1 + k % 2, padding=1)
        for k, (n_in, n_out) in enumerate(pairwise([channels, *widths]))
    ]
    height, width = (-(-side // 2**HALVINGS) for side in size)
    l4 = nn.Sequential(
        nn.Linear(widths[-1] * height * width, dense), nn.LeakyReLU(LEAK), nn.Linear(dense, 1)
    )
    return ConvDiscriminator(convs, l4, nn.BatchNorm2d)


def networks(
    config: Config, spec: DataSpec, gen: int, dis: int, dense: int
) -> dict[str, nn.Module]:
    """gen, dis: channels of SRResNet and of D's first layers; dense: units of its dense layer."""
    gen, dis, dense = (scaled(n, config.width) for n in (gen, dis, dense))
    doublings = doublings_of(spec)
    assert spec.source is not None
    return {
        "gen": SRResNet(spec.source[0], spec.image[0], gen, config.blocks, doublings),
        "dis": discriminator(spec.image, dis, dense),
    }


def doublings_of(spec: DataSpec) -> int:
    """How many doublings make a source an image; UserError where none do."""
    _, *size = spec.image
    _, *own = spec.source or (0, 0, 0)
    for doublings in (1, 2, 3):
        if spec.source_kind == "image" and size == [side << doublings for side in own]:
            return doublings
    raise UserError(
        f"srgan makes images 2, 4 or 8 times as large as their sources, and these of "
        f"{size[1]}x{size[0]} have sources of {own[1]}x{own[0]}: give such sources, with --source "
        "low-resolution:4 for instance."
    )


build = Architectures(
    srresnet=partial(networks, gen=64, dis=64, dense=1024),
    quick=partial(networks, gen=32, dis=16, dense=128),
)
