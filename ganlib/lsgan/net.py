"""LSGAN's networks: chainer-LSGAN's for 32 pixels, and the authors' for scenes of 112."""

import math
from functools import partial

from torch import nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, NetConfig, halvings, scaled
from ganlib.common.layers import BatchNorm2d
from ganlib.common.layers.init import init_lecun_normal, init_normal, init_truncated_normal
from ganlib.common.networks.dcgan import (
    ConvGenerator,
    StridedDiscriminator,
    StridedGenerator,
    deconv_relu,
)
from ganlib.common.networks.mlp import mlp
from ganlib.common.networks.quick import quick


class SceneGenerator(ConvGenerator):
    """Four doublings of a linear layer's small image, the first two each with a further layer of
    the same size, and a layer to the image. z 1024 ~ U(-1, 1); H and W: multiples of 16.
    """

    def __init__(self, image: Shape, ch: int) -> None:
        channels, height, width = image
        c0, c1, c2 = halvings(ch, 2)
        bottom = (c0, height // 16, width // 16)
        double = partial(nn.ConvTranspose2d, kernel_size=3, stride=2, padding=1, output_padding=1)
        same = partial(nn.ConvTranspose2d, kernel_size=3, padding=1)
        super().__init__(
            1024,
            "uniform",
            l0=nn.Sequential(
                nn.Linear(1024, math.prod(bottom)),
                nn.Unflatten(1, bottom),
                nn.BatchNorm2d(c0),
                nn.ReLU(),
            ),
            convs=[
                double(c0, c0),
                same(c0, c0),
                double(c0, c0),
                same(c0, c0),
                double(c0, c1),
                double(c1, c2),
                same(c2, channels),
            ],
            norm=nn.BatchNorm2d,
        )


def cifar(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-LSGAN models.py: z 1024 ~ U(-1, 1), 4x4 kernels, H and W multiples of 8."""
    conv = partial(nn.Conv2d, kernel_size=4, stride=2, padding=1, bias=False)
    deconv = partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1, bias=False)
    widths = halvings(scaled(512, config.width), 3)
    gen = StridedGenerator(spec.image, 1024, "uniform", widths[1:], deconv_relu, deconv)
    dis = StridedDiscriminator(spec.image, widths[::-1], conv, norm=BatchNorm2d)
    init_lecun_normal(gen)
    init_lecun_normal(dis)
    return {"gen": gen, "dis": dis}


def lsun(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """xudonmao/LSGAN vgg.py and ops.py: z 1024 ~ U(-1, 1), H and W multiples of 16.

    A layer of stride 2 pads more at the top and left where the authors' pads more at the bottom and
    right: with all kernels turned by 180 degrees it is theirs of images that are turned too.
    Weights N(0, 0.02^2), those of D's convolutions cut at two deviations; biases 0, gains 1.
    """
    conv = partial(nn.Conv2d, kernel_size=5, stride=2, padding=2)
    gen = SceneGenerator(spec.image, scaled(256, config.width))
    dis = StridedDiscriminator(
        spec.image, halvings(scaled(512, config.width), 3)[::-1], conv, norm=nn.BatchNorm2d
    )
    init_normal(gen, 0.02)
    init_normal(dis, 0.02)
    init_truncated_normal(dis.features, 0.02)
    return {"gen": gen, "dis": dis}


build = Architectures(cifar=cifar, lsun=lsun, quick=quick, mlp=mlp)
