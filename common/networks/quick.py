"""Networks for some minutes of a CPU, of no paper: `--architecture quick`."""

from collections.abc import Callable
from functools import partial

from torch import nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import NetConfig, scaled
from ganlib.common.layers import BatchNorm1d, BatchNorm2d, Factory
from ganlib.common.layers.init import init_he_uniform, init_normal
from ganlib.common.layers.reparametrized import Conv2d, ConvTranspose2d
from ganlib.common.networks.dcgan import StridedDiscriminator, StridedGenerator, dense_relu

N_HIDDEN = 128
SMALLEST = 4


def quick(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The architecture: DCGAN's, small, with batch normalisation in both networks."""
    return {
        "gen": quick_generator(spec.image, config.width),
        "dis": quick_discriminator(spec.image, config.width, norm=BatchNorm2d),
    }


def quick_critic(
    config: NetConfig, spec: DataSpec, n_out: int | None = None
) -> dict[str, nn.Module]:
    """The architecture for critics with a gradient penalty: no norm in D, and larger weights.

    n_out: outputs of D in place of a logit.
    """
    dis = quick_discriminator(spec.image, config.width)
    init_he_uniform(dis)
    gen = quick_generator(spec.image, config.width)
    return {"gen": gen, "dis": dis if n_out is None else with_outputs(dis, n_out)}


def with_outputs(dis: StridedDiscriminator, n_out: int) -> StridedDiscriminator:
    """`dis` with so many outputs, (N, n_out), in place of a logit."""
    dis.l4 = nn.Linear(dis.l4.in_features, n_out)
    init_he_uniform(dis.l4)
    return dis


def quick_generator(
    image: Shape,
    width: float = 1.0,
    n_hidden: int = N_HIDDEN,
    l0_norm: Factory = BatchNorm1d,
    norm: Factory = BatchNorm2d,
) -> StridedGenerator:
    """z ~ N(0, 1); DCGAN's layers with 256 channels, half as many behind each, from images of 4
    pixels, at least three. H and W: multiples of 2 ** layers.
    """
    widths = [scaled(256 >> k, width) for k in range(layers(image))]
    deconv = partial(ConvTranspose2d, kernel_size=4, stride=2, padding=1)
    l0 = partial(dense_relu, norm=l0_norm)
    gen = StridedGenerator(image, n_hidden, "normal", widths, l0, deconv, norm)
    init_normal(gen, 0.02)
    return gen


def quick_discriminator(
    image: Shape,
    width: float = 1.0,
    conv: Callable[..., nn.Conv2d] = Conv2d,
    linear: Factory = nn.Linear,
    norm: Factory = nn.Identity,
) -> StridedDiscriminator:
    """As many layers, with 32 channels and twice as many behind each."""
    widths = [scaled(32 << k, width) for k in range(layers(image))]
    strided = partial(conv, kernel_size=4, stride=2, padding=1)
    dis = StridedDiscriminator(image, widths, strided, linear, norm)
    init_normal(dis, 0.02)
    return dis


def layers(image: Shape) -> int:
    """How often images of this shape are halved: to 4 to 7 pixels, and at least three times."""
    side = min(image[1:])
    return max(3, (side // SMALLEST).bit_length() - 1)
