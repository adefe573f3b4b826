"""SAGAN's networks: residual ones with self-attention and spectral normalisation in both.

Sizes as in brain-research/self-attention-gan, generator.py and discriminator.py; z 128 ~ N(0, 1),
Glorot's uniform weights, biases 0.
"""

from collections.abc import Sequence
from functools import partial

from torch import nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, NetConfig, scaled
from ganlib.common.layers.attention import SelfAttention
from ganlib.common.layers.conditional import Projection, ProjectionDiscriminator
from ganlib.common.layers.init import init_glorot_uniform
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear
from ganlib.common.networks.quick import quick_discriminator
from ganlib.common.networks.resnet import ClassResNetGenerator, ResNetFeatures, WideDisBlock
from ganlib.sngan_projection.net import QuickGenerator, mlp, quick_widths


def residual(
    config: NetConfig,
    spec: DataSpec,
    gen_widths: Sequence[int],
    dis_widths: Sequence[int],
    down: int,
    gen_at: int,
    dis_at: int,
) -> dict[str, nn.Module]:
    """Networks of these channels, as in networks/resnet.py, times the settings' width.

    down: how many of D's blocks halve the size. gen_at, dis_at: behind so many blocks there is
    attention.
    """
    gen_widths = [scaled(ch, config.width) for ch in gen_widths]
    dis_widths = [scaled(ch, config.width) for ch in dis_widths]
    gen = ClassResNetGenerator(spec.image, gen_widths, spec.n_classes, SNConv2d, SNLinear)
    gen.blocks.insert(gen_at, SelfAttention(gen_widths[gen_at]))
    features = ResNetFeatures(spec.image[0], dis_widths, down, conv=SNConv2d, block=WideDisBlock)
    features.blocks.insert(dis_at, SelfAttention(dis_widths[dis_at - 1]))
    init_glorot_uniform(gen)
    init_glorot_uniform(features)
    head = Projection(dis_widths[-1], spec.n_classes)
    return {"gen": gen, "dis": ProjectionDiscriminator(features, head)}


def quick(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """For minutes on a CPU: sngan_projection's quick networks, attention in both; no paper's."""
    widths = quick_widths(spec.image, config.width)
    gen = QuickGenerator(spec.image, widths, spec.n_classes, up, SNLinear)
    gen.last = nn.Sequential(SelfAttention(widths[-1]), gen.last)
    return {"gen": gen, "dis": quick_dis(config, spec)}


def quick_dis(config: NetConfig, spec: DataSpec) -> ProjectionDiscriminator:
    """Strided convolutions, with attention behind the first."""
    seen = quick_discriminator(spec.image, config.width, conv=SNConv2d)
    seen.features.insert(1, SelfAttention(scaled(32, config.width)))
    return ProjectionDiscriminator(seen.features, Projection(seen.l4.in_features, spec.n_classes))


def up(before: int, after: int) -> nn.Sequential:
    """To twice the size: a 3x3 convolution of spectral norm 1 makes of each pixel four."""
    return nn.Sequential(SNConv2d(before, 4 * after, 3, padding=1), nn.PixelShuffle(2))


imagenet128 = partial(
    residual,
    gen_widths=(1024, 1024, 512, 256, 128, 64),
    dis_widths=(64, 128, 256, 512, 1024, 1024),
    down=5,
)
build = Architectures(
    imagenet128=partial(imagenet128, gen_at=3, dis_at=2),
    imagenet128_at64=partial(imagenet128, gen_at=4, dis_at=1),
    cifar10=partial(
        residual, gen_widths=[256] * 4, dis_widths=[128] * 4, down=2, gen_at=2, dis_at=1
    ),
    quick=quick,
    mlp=mlp,
)
