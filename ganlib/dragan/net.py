"""DRAGAN's networks: chainer-gan-lib's, which are those of its WGAN-GP."""

from torch import nn

from ganlib.common.data import DataSpec
from ganlib.common.net import NetConfig
from ganlib.wgan_gp.net import dcgan, mlp

ARCHITECTURES = {"dcgan": dcgan, "mlp": mlp}


def build(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The generator and the discriminator of config.architecture for spec.image."""
    return ARCHITECTURES[config.architecture](spec.image, config.width)
