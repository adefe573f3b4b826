"""CycleGAN's networks: two residual generators and two discriminators of patches.

Zhu et al. 2017, section 7.2; weights N(0, 0.02^2), biases 0.
"""

from functools import partial
from typing import Protocol

from torch import Tensor, nn

from ganlib.common.data import POINTS, DataSpec, Shape
from ganlib.common.errors import UserError
from ganlib.common.init import init_normal
from ganlib.common.net import Architectures, Generator, NetConfig, scaled
from ganlib.common.patchgan import PatchDiscriminator

CH = 64
STD = 0.02
InstanceNorm = partial(nn.InstanceNorm2d, eps=1e-5)
"""Of each image alone, in sampling too: without running statistics, gain or bias."""


class Settings(NetConfig, Protocol):
    """What these networks read of the settings."""

    @property
    def blocks(self) -> int: ...
    @property
    def n_layers(self) -> int: ...
    @property
    def lam_idt(self) -> float: ...


def conv(n_in: int, n_out: int, side: int) -> list[nn.Module]:
    """A convolution that keeps the size, by reflection at the edges, and its norm."""
    return [nn.ReflectionPad2d(side // 2), nn.Conv2d(n_in, n_out, side), InstanceNorm(n_out)]


def resized(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """A convolution of stride 2 or 1/2, its norm and a ReLU."""
    return nn.Sequential(layer, InstanceNorm(layer.out_channels), nn.ReLU())


class Block(nn.Module):
    """x + f(x), without a ReLU behind the sum."""

    def __init__(self, ch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*conv(ch, ch, 3), nn.ReLU(), *conv(ch, ch, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, ch, H, W) -> the same."""
        y: Tensor = x + self.layers(x)
        return y


class Translator(Generator):
    """c7s1-64, d128, d256, R256 as often as `blocks` says, u128, u64, c7s1: images to images of
    n_out channels, in [-1, 1]. ch: of the first layer.
    """

    multiple = 4

    def __init__(self, n_in: int, n_out: int, blocks: int, ch: int = CH) -> None:
        super().__init__(n_hidden=0, latent="normal")
        down = [(ch, 2 * ch), (2 * ch, 4 * ch)]
        self.layers = nn.Sequential(
            nn.Sequential(*conv(n_in, ch, 7), nn.ReLU()),
            *(resized(nn.Conv2d(a, b, 3, 2, 1)) for a, b in down),
            *(Block(4 * ch) for _ in range(blocks)),
            *(resized(nn.ConvTranspose2d(b, a, 3, 2, 1, output_padding=1)) for a, b in down[::-1]),
            nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(ch, n_out, 7), nn.Tanh()),
        )
        init_normal(self, STD)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (n, 0) and what to translate (n, C', H, W), in [-1, 1] -> (n, C, H, W); H and W:
        multiples of 4, else UserError.
        """
        assert y is not None
        if y.shape[2] % self.multiple or y.shape[3] % self.multiple:
            height, width = y.shape[2:]
            raise UserError(
                f"Images of {height}x{width} cannot be translated: give sides that are multiples "
                f"of {self.multiple}."
            )
        x: Tensor = self.layers(y)
        return x


def n_blocks(blocks: int, image: Shape) -> int:
    """`blocks`, or if that is 0 the paper's: 9 from 256 pixels on, 6 below."""
    return blocks or (9 if min(image[1:]) >= 256 else 6)


def smallest(n_layers: int) -> int:
    """The least side, a multiple of 4, of which the discriminator's last norm has some pixels."""
    return max(8, 3 << n_layers)


def resnet(config: Settings, spec: DataSpec) -> dict[str, nn.Module]:
    """gen: sources to images; back: images to sources; dis, dis_back: judges of images and of
    sources.
    """
    check(config, spec)
    assert spec.source is not None
    images, sources, ch = spec.image[0], spec.source[0], scaled(CH, config.width)
    blocks = n_blocks(config.blocks, spec.image)
    networks: dict[str, nn.Module] = {
        "gen": Translator(sources, images, blocks, ch),
        "back": Translator(images, sources, blocks, ch),
    }
    for name, channels in (("dis", images), ("dis_back", sources)):
        networks[name] = PatchDiscriminator(channels, InstanceNorm, ch, config.n_layers, bias=True)
        init_normal(networks[name], STD)
    return networks


def check(config: Settings, spec: DataSpec) -> None:
    """UserError for sets that these networks do not translate."""
    if spec.native == POINTS:
        raise UserError("This algorithm translates images, and these data are points.")
    spec.turned()  # which says what is missing for a way back
    assert spec.source is not None
    if config.lam_idt and spec.source[0] != spec.image[0]:
        raise UserError(
            "The identity loss shows a generator what it should make, and these sets have "
            f"{spec.image[0]} and {spec.source[0]} channels: give --lam-idt 0."
        )


build = Architectures(resnet=resnet)
