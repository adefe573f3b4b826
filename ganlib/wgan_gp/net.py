"""WGAN-GP's networks: chainer-gan-lib's, and the two of the authors for CIFAR-10."""

from functools import partial

from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, NetConfig, halvings, scaled
from ganlib.common.layers.basic import SameConv2d
from ganlib.common.layers.init import init_glorot_uniform, init_he_uniform
from ganlib.common.networks.dcgan import (
    DCGANGenerator,
    StridedDiscriminator,
    StridedGenerator,
    WGANDiscriminator,
    dense_relu,
)
from ganlib.common.networks.mlp import mlp
from ganlib.common.networks.quick import quick_critic
from ganlib.common.networks.resnet import ResNetDiscriminator, ResNetGenerator


class SameConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of SameConv2d, 5x5, stride 2: of the full result, 1 is cut off before and 2
    after.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 5, 2, padding=1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, 2 * H, 2 * W)."""
        return super().forward(input, output_size)[..., :-1, :-1]


def init_cnn(net: nn.Module) -> nn.Module:
    """`net` with He's uniform weights in convolutions, Glorot's in linear layers, biases 0."""
    init_he_uniform(net)
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            init_glorot_uniform(layer)
    return net


def dcgan(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-gan-lib wgan_gp, networks/dcgan.py: z 128 ~ U(-1, 1), no norm in the critic."""
    ch = scaled(512, config.width)
    return {"gen": DCGANGenerator(spec.image, ch=ch), "dis": WGANDiscriminator(spec.image, ch)}


def cnn(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """improved_wgan_training gan_cifar.py, DIM 128: z 128 ~ N(0, 1), 5x5 kernels.

    There batch normalisation (epsilon 1e-5) uses the batch also to sample; here running averages
    replace it in evaluation mode.
    """
    widths = halvings(scaled(512, config.width), 2)
    conv = partial(SameConv2d, kernel_size=5, stride=2)
    return {
        "gen": init_cnn(
            StridedGenerator(spec.image, 128, "normal", widths, dense_relu, SameConvTranspose2d)
        ),
        "dis": init_cnn(StridedDiscriminator(spec.image, widths[::-1], conv)),
    }


def resnet(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """improved_wgan_training gan_cifar_resnet.py, unconditional: z 128 ~ N(0, 1)."""
    ch = scaled(128, config.width)
    gen = ResNetGenerator(spec.image, [ch] * 4)
    return {"gen": gen, "dis": ResNetDiscriminator(spec.image, ch)}


build = Architectures(dcgan=dcgan, cnn=cnn, resnet=resnet, quick=quick_critic, mlp=mlp)
