"""alpha-GAN's four networks."""

from typing import Protocol

from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.encoders import DCGANEncoder
from ganlib.common.init import init_he_uniform
from ganlib.common.layers import LEAK
from ganlib.common.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.net import DCGANDiscriminator, DCGANGenerator, NetConfig, scaled


class AlphaConfig(NetConfig, Protocol):
    @property
    def n_hidden(self) -> int: ...


def build(config: AlphaConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Encoder, generator and the discriminators of images (dis) and of codes (cdis)."""
    networks = ARCHITECTURES[config.architecture](spec.image, config.n_hidden, config.width)
    return {**networks, "cdis": CodeDiscriminator(config.n_hidden, config.width)}


def dcgan(image: Shape, n_hidden: int, width: float) -> dict[str, nn.Module]:
    """chainer-gan-lib's DCGAN and the mirror of its generator; z ~ N(0, 1)."""
    ch = scaled(512, width)
    return {
        "enc": DCGANEncoder(image, n_hidden, ch),
        "gen": DCGANGenerator(image, n_hidden, ch, "normal"),
        "dis": DCGANDiscriminator(image, ch),
    }


def mlp(image: Shape, n_hidden: int, width: float) -> dict[str, nn.Module]:
    """Three hidden layers of 128, for points."""
    return {
        "enc": MLPDiscriminator(image, width, n_hidden),
        "gen": MLPGenerator(image, n_hidden, width),
        "dis": MLPDiscriminator(image, width),
    }


ARCHITECTURES = {"dcgan": dcgan, "mlp": mlp}


class CodeDiscriminator(nn.Module):
    """Two hidden layers of 750 with leaky ReLU, no normalisation: the paper's.

    The README of victor-shepardson/alpha-GAN warns of batch normalisation here.
    """

    def __init__(self, n_hidden: int, width: float = 1.0) -> None:
        super().__init__()
        n = scaled(750, width)
        self.layers = nn.Sequential(
            nn.Linear(n_hidden, n),
            nn.LeakyReLU(LEAK),
            nn.Linear(n, n),
            nn.LeakyReLU(LEAK),
            nn.Linear(n, 1),
        )
        init_he_uniform(self)

    def forward(self, z: Tensor) -> Tensor:
        """z (N, n_hidden) -> logits (N, 1) of being drawn from N(0, 1)."""
        logits: Tensor = self.layers(z)
        return logits
