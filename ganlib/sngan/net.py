"""SNGAN's networks: chainer-gan-lib's, the paper's two for CIFAR-10, and a quick one."""

import math
from functools import partial
from itertools import pairwise

from torch import nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, NetConfig, halvings, scaled
from ganlib.common.layers.init import init_normal
from ganlib.common.layers.reparametrized import ConvTranspose2d
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear
from ganlib.common.networks.dcgan import (
    ConvGenerator,
    DCGANGenerator,
    SNDCGANDiscriminator,
    StandardDiscriminator,
)
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.networks.quick import quick_discriminator, quick_generator
from ganlib.common.networks.resnet import ResNetDiscriminator, ResNetGenerator, global_sum


class StandardGenerator(ConvGenerator):
    """Table 3 of the paper: nothing between l0 and the first convolution. H, W: multiples of 8."""

    def __init__(self, image: Shape, ch: int) -> None:
        (channels, height, width), widths = image, halvings(ch, 3)
        bottom = (widths[0], height // 8, width // 8)
        l0 = nn.Sequential(nn.Linear(128, math.prod(bottom)), nn.Unflatten(1, bottom))
        convs = [ConvTranspose2d(i, o, 4, 2, 1) for i, o in pairwise(widths)]
        last = nn.Conv2d(widths[-1], channels, 3, 1, 1)
        super().__init__(128, "normal", l0, [*convs, last])
        init_normal(self, 0.02)


def sndcgan(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-gan-lib stdgan --architecture sndcgan, common/networks/dcgan.py: z 128 ~ U(-1, 1)."""
    ch = scaled(512, config.width)
    return {"gen": DCGANGenerator(spec.image, ch=ch), "dis": SNDCGANDiscriminator(spec.image, ch)}


def cnn(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The paper's standard CNN (table 3): z 128 ~ N(0, 1).

    Initialised N(0, 0.02^2) as in chainer-gan-lib: the paper does not say.
    """
    ch = scaled(512, config.width)
    c0, c1, c2, c3 = halvings(ch, 3)
    dis = StandardDiscriminator(
        spec.image, [c3, c3, c2, c2, c1, c1, c0], conv=SNConv2d, linear=SNLinear, leak=0.1
    )
    return {"gen": StandardGenerator(spec.image, ch), "dis": dis}


def resnet(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The paper's ResNets for CIFAR-10 (table 4), sngan_projection: z 128 ~ N(0, 1)."""
    ch, linear = scaled(128, config.width), partial(SNLinear, bias=False)
    return {
        "gen": ResNetGenerator(spec.image, [scaled(256, config.width)] * 4),
        "dis": ResNetDiscriminator(spec.image, ch, SNConv2d, linear, global_sum),
    }


def quick(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Small enough for minutes on a CPU, D normalised: networks/quick.py; no paper's network."""
    return {
        "gen": quick_generator(spec.image, config.width),
        "dis": quick_discriminator(spec.image, config.width, SNConv2d, SNLinear),
    }


def mlp(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Three layers of 128, for points, D all normalised: networks/mlp.py; no paper's network."""
    return {
        "gen": MLPGenerator(spec.image, width=config.width),
        "dis": MLPDiscriminator(spec.image, config.width, linear=SNLinear),
    }


build = Architectures(sndcgan=sndcgan, cnn=cnn, resnet=resnet, quick=quick, mlp=mlp)
