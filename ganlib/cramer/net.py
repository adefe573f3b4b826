"""Cramer GAN's networks: chainer-gan-lib's, with a vector as the output of dis."""

from typing import Protocol

from torch import nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.net import DCGANGenerator, NetConfig, WGANDiscriminator, scaled


class CramerConfig(NetConfig, Protocol):
    """What `build` reads of the settings."""

    @property
    def output_dim(self) -> int: ...


def build(config: CramerConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The generator and the features h of config.architecture for spec.image."""
    return ARCHITECTURES[config.architecture](spec.image, config.width, config.output_dim)


def dcgan(image: Shape, width: float, n_out: int) -> dict[str, nn.Module]:
    """chainer-gan-lib cramer, common/net.py: z 128 ~ U(-1, 1), no normalisation in dis."""
    ch = scaled(512, width)
    return {"gen": DCGANGenerator(image, ch=ch), "dis": WGANDiscriminator(image, ch, n_out)}


def mlp(image: Shape, width: float, n_out: int) -> dict[str, nn.Module]:
    """Three layers of 128, for points: z 128 ~ N(0, 1); no paper's network."""
    dis = MLPDiscriminator(image, width, n_out)
    return {"gen": MLPGenerator(image, width=width), "dis": dis}


ARCHITECTURES = {"dcgan": dcgan, "mlp": mlp}
