"""DCGAN's networks: chainer-gan-lib's for 32 pixels, and two of its authors for 64."""

from functools import partial

from torch import nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, NetConfig, halvings, scaled
from ganlib.common.layers.init import init_gains, init_normal
from ganlib.common.networks.dcgan import (
    DCGANDiscriminator,
    DCGANGenerator,
    StridedDiscriminator,
    StridedGenerator,
    deconv_relu,
    dense_relu,
)
from ganlib.common.networks.mlp import mlp
from ganlib.common.networks.quick import quick


def init_radford(net: nn.Module) -> nn.Module:
    """`net` with weights N(0, 0.02^2), gains of batch normalisation N(1, 0.02^2), biases 0."""
    init_normal(net, 0.02)
    init_gains(net, 0.02)
    return net


def dcgan(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-gan-lib dcgan/net.py, common/networks/dcgan.py: z 128 ~ U(-1, 1), 32 pixels."""
    ch = scaled(512, config.width)
    return {"gen": DCGANGenerator(spec.image, ch=ch), "dis": DCGANDiscriminator(spec.image, ch)}


def radford(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Newmu/dcgan_code faces/train_uncond_dcgan.py: z 100 ~ U(-1, 1), 5x5 kernels, 64 pixels.

    There batch normalisation always uses the batch, also to sample, which would make a sample
    depend on its neighbours; here running averages replace it in evaluation mode.
    """
    norm = partial(nn.BatchNorm2d, eps=1e-8)
    l0 = partial(dense_relu, norm=partial(nn.BatchNorm1d, eps=1e-8), bias=False)
    conv = partial(nn.Conv2d, kernel_size=5, stride=2, padding=2, bias=False)
    deconv = partial(
        nn.ConvTranspose2d, kernel_size=5, stride=2, padding=2, output_padding=1, bias=False
    )
    linear = partial(nn.Linear, bias=False)
    widths = halvings(scaled(1024, config.width), 3)
    return {
        "gen": init_radford(StridedGenerator(spec.image, 100, "uniform", widths, l0, deconv, norm)),
        "dis": init_radford(StridedDiscriminator(spec.image, widths[::-1], conv, linear, norm)),
    }


def torch_(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """soumith/dcgan.torch main.lua: z 100 ~ N(0, 1), 4x4 kernels, 64 pixels."""
    return torch_like(spec.image, halvings(scaled(512, config.width), 3))


def torch_like(image: Shape, widths: list[int]) -> dict[str, nn.Module]:
    """dcgan.torch's layers, one for each of `widths`, the smallest image's channels first.

    Its last convolution, 4x4 on a 4x4 image, is written as the linear layer that it is.
    """
    norm, l0 = nn.BatchNorm2d, partial(deconv_relu, norm=nn.BatchNorm2d)
    conv = partial(nn.Conv2d, kernel_size=4, stride=2, padding=1, bias=False)
    deconv = partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1, bias=False)
    linear = partial(nn.Linear, bias=False)
    return {
        "gen": init_radford(StridedGenerator(image, 100, "normal", widths, l0, deconv, norm)),
        "dis": init_radford(StridedDiscriminator(image, widths[::-1], conv, linear, norm)),
    }


build = Architectures(dcgan=dcgan, radford=radford, torch=torch_, quick=quick, mlp=mlp)
