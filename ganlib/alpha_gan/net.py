"""alpha-GAN's networks: encoder, generator, discriminators of images (dis) and of codes (cdis)."""

from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, scaled
from ganlib.common.layers import LEAK, BatchNorm2d
from ganlib.common.layers.init import init_he_uniform
from ganlib.common.networks.dcgan import DCGANDiscriminator, DCGANEncoder, DCGANGenerator
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.networks.quick import quick_discriminator, quick_generator, with_outputs

from .updater import Config


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
        return self.layers(z)


def dcgan(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-gan-lib's DCGAN and the mirror of its generator; z ~ N(0, 1)."""
    ch = scaled(512, config.width)
    return {
        "enc": DCGANEncoder(spec.image, config.n_hidden, ch),
        "gen": DCGANGenerator(spec.image, config.n_hidden, ch, "normal"),
        "dis": DCGANDiscriminator(spec.image, ch),
        "cdis": CodeDiscriminator(config.n_hidden, config.width),
    }


def quick(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Small enough for minutes on a CPU: common/networks/quick.py; no paper's networks."""
    enc = quick_discriminator(spec.image, config.width, norm=BatchNorm2d)
    return {
        "enc": with_outputs(enc, config.n_hidden),
        "gen": quick_generator(spec.image, config.width, config.n_hidden),
        "dis": quick_discriminator(spec.image, config.width, norm=BatchNorm2d),
        "cdis": CodeDiscriminator(config.n_hidden, config.width),
    }


def mlp(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Three hidden layers of 128, for points."""
    return {
        "enc": MLPDiscriminator(spec.image, config.width, config.n_hidden),
        "gen": MLPGenerator(spec.image, config.n_hidden, config.width),
        "dis": MLPDiscriminator(spec.image, config.width),
        "cdis": CodeDiscriminator(config.n_hidden, config.width),
    }


build = Architectures(dcgan=dcgan, quick=quick, mlp=mlp)
