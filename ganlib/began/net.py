"""BEGAN's networks: chainer-gan-lib's, carpedm20's after the paper, and small ones for points."""

import math
from itertools import pairwise

from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, Generator, NetConfig, halvings, scaled
from ganlib.common.layers import LEAK, BatchNorm1d
from ganlib.common.layers.init import init_glorot_uniform, init_he_uniform, init_normal
from ganlib.common.networks.dcgan import DCGANGenerator, unnormalized_std
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.networks.quick import (
    N_HIDDEN,
    quick_discriminator,
    quick_generator,
    with_outputs,
)


class Autoencoder(nn.Module):
    """The discriminator: images to a code and back."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Of x (N, C, H, W), augmented if that is asked for, the reconstruction less itself."""
        return self.decoder(self.encoder(x)) - x


def dcgan_autoencoder(image: Shape, ch: int) -> Autoencoder:
    """Leaky ReLU after every layer, a code of 128 too, tanh at the end; H and W: multiples of 8."""
    (channels, height, width), widths = image, halvings(ch, 3)
    bottom = (widths[0], height // 8, width // 8)
    encoder = nn.Sequential(
        *leaky(nn.Conv2d(channels, widths[-1], 3, 1, 1)),
        *(m for i, o in pairwise(widths[::-1]) for m in leaky(nn.Conv2d(i, o, 4, 2, 1))),
        nn.Flatten(),
        *leaky(nn.Linear(math.prod(bottom), 128)),
    )
    decoder = nn.Sequential(
        *leaky(nn.Linear(128, math.prod(bottom))),
        nn.Unflatten(1, bottom),
        *(m for i, o in pairwise(widths) for m in leaky(nn.ConvTranspose2d(i, o, 4, 2, 1))),
        nn.ConvTranspose2d(widths[-1], channels, 3, 1, 1),
        nn.Tanh(),
    )
    dis = Autoencoder(encoder, decoder)
    init_normal(dis, unnormalized_std(ch))
    return dis


def leaky(layer: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The layer and its activation."""
    return layer, nn.LeakyReLU(LEAK)


class Decoder(Generator):
    """Linear, then pairs of 3x3 convolutions with ELU and nearest-neighbour doubling in between.

    The generator, and the second half of the discriminator: `ch` channels at every size, nothing
    after the last convolution. H and W: multiples of 8.
    """

    def __init__(self, image: Shape, ch: int) -> None:
        super().__init__(64, "uniform")
        channels, height, width = image
        n = doublings(image)
        bottom = (ch, height >> n, width >> n)
        layers: list[nn.Module] = [nn.Linear(64, math.prod(bottom)), nn.Unflatten(1, bottom)]
        for i in range(n + 1):
            layers += [nn.Upsample(scale_factor=2)] if i else []
            layers += [*elu_conv(ch, ch), *elu_conv(ch, ch)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(ch, channels, 3, padding=1))
        init_glorot_uniform(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, 64) -> images (N, C, H, W), not bounded; y is not used."""
        return self.layers(z)


def paper_encoder(image: Shape, ch: int) -> nn.Sequential:
    """A convolution, then pairs of them with ch, 2 ch, 3 ch, ... channels, and a linear layer.

    Between the pairs a convolution of stride 2; ELU after every convolution, nothing after the
    linear layer. Images (N, C, H, W) -> codes (N, 64).
    """
    channels, height, width = image
    n = doublings(image)
    widths = [ch * i for i in range(1, n + 2)]
    layers: list[nn.Module] = [*elu_conv(channels, ch), *elu_conv(ch, ch), *elu_conv(ch, ch)]
    for narrow, wide in pairwise(widths):
        layers += [*strided_elu_conv(narrow), *elu_conv(narrow, wide), *elu_conv(wide, wide)]
    size = widths[-1] * (height >> n) * (width >> n)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(size, 64))


def doublings(image: Shape) -> int:
    """How often an image of 8 pixels or a few more is doubled: 32 pixels 2, 64 pixels 3."""
    _, height, width = image
    n = 0
    while (height >> n) % 2 == (width >> n) % 2 == 0 and min(height, width) >> n >= 16:
        n += 1
    return n


def elu_conv(d_in: int, d_out: int) -> tuple[nn.Module, nn.Module]:
    """A 3x3 convolution and its activation."""
    return nn.Conv2d(d_in, d_out, 3, padding=1), nn.ELU()


def strided_elu_conv(ch: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    """3x3, stride 2, and its activation; padding is TensorFlow's "SAME": 1 after an even size."""
    return nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(ch, ch, 3, stride=2), nn.ELU()


def dcgan(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """chainer-gan-lib began/net.py: z 128 ~ U(-1, 1), code 128, tanh, no normalisation."""
    ch, none = scaled(512, config.width), nn.Identity
    gen = DCGANGenerator(spec.image, ch=ch, l0_norm=none, norm=none, std=unnormalized_std(ch))
    return {"gen": gen, "dis": dcgan_autoencoder(spec.image, ch)}


def dcgan_bn(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The same with the generator as chainer-gan-lib's other methods have it, batch normalised."""
    ch = scaled(512, config.width)
    return {"gen": DCGANGenerator(spec.image, ch=ch), "dis": dcgan_autoencoder(spec.image, ch)}


def paper(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """carpedm20/BEGAN-tensorflow models.py, n 128: z 64 ~ U(-1, 1), code 64, linear outputs."""
    ch = scaled(128, config.width)
    dis = Autoencoder(paper_encoder(spec.image, ch), Decoder(spec.image, ch))
    init_glorot_uniform(dis)
    return {"gen": Decoder(spec.image, ch), "dis": dis}


def quick(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Small enough for minutes on a CPU: common/networks/quick.py, whose D and G, with no norm, are
    the autoencoder's halves; no paper's.
    """
    none, encoder = nn.Identity, quick_discriminator(spec.image, config.width)
    decoder = quick_generator(spec.image, config.width, N_HIDDEN, none, none)
    dis = Autoencoder(with_outputs(encoder, N_HIDDEN), decoder)
    init_he_uniform(dis)
    return {"gen": quick_generator(spec.image, config.width), "dis": dis}


def mlp(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Three layers for z ~ N(0, 1), and again on both sides of the code.

    Batch normalisation in the generator keeps its samples apart where the data are of many kinds;
    without it they fall together on one. The code has half as many numbers as an image, but no more
    than 64: one that has as many as a point could copy every point, real or not.
    """
    n_code = min(64, max(1, math.prod(spec.image) // 2))
    encoder = MLPDiscriminator(spec.image, config.width, n_code)
    dis = Autoencoder(encoder, MLPGenerator(spec.image, n_code, config.width))
    return {"gen": MLPGenerator(spec.image, width=2 * config.width, norm=BatchNorm1d), "dis": dis}


build = Architectures(dcgan=dcgan, dcgan_bn=dcgan_bn, paper=paper, quick=quick, mlp=mlp)
