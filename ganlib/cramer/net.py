"""Cramer GAN's networks: chainer-gan-lib's, with a vector as the output of dis."""

from torch import nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, scaled
from ganlib.common.networks.dcgan import DCGANGenerator, WGANDiscriminator
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.networks.quick import quick_critic

from .updater import Config


def dcgan(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-gan-lib cramer, common/net.py: z 128 ~ U(-1, 1), no normalisation in dis."""
    ch = scaled(512, config.width)
    return {
        "gen": DCGANGenerator(spec.image, ch=ch),
        "dis": WGANDiscriminator(spec.image, ch, config.output_dim),
    }


def quick(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Small enough for minutes on a CPU: common/networks/quick.py; no paper's network."""
    return quick_critic(config, spec, config.output_dim)


def mlp(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Three layers of 128, for points: z ~ N(0, 1), 4 for points, 128 else; no paper's network."""
    dis = MLPDiscriminator(spec.image, config.width, config.output_dim)
    return {"gen": MLPGenerator(spec.image, width=config.width), "dis": dis}


build = Architectures(dcgan=dcgan, quick=quick, mlp=mlp)
