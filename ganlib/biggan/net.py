"""BigGAN's networks: residual ones with self-attention, whose conditional generator sees the class
and a part of z in every block.

Sizes as in ajbrock/BigGAN-PyTorch, BigGAN.py and BigGANdeep.py.
"""

from collections.abc import Sequence
from functools import partial

from torch import nn

from ganlib.biggan.deep import DeepFeatures, DeepGenerator
from ganlib.biggan.generator import HierarchicalGenerator
from ganlib.common.data import DataSpec
from ganlib.common.generator import Architectures, NetConfig, scaled
from ganlib.common.layers.attention import SelfAttention
from ganlib.common.layers.conditional import ClassBatchNorm2d, Projection, ProjectionDiscriminator
from ganlib.common.layers.init import init_normal, init_orthogonal
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear
from ganlib.common.networks.quick import layers as n_halvings
from ganlib.common.networks.resnet import ClassResNetGenerator, ResNetFeatures, WideDisBlock
from ganlib.sagan.net import quick_dis
from ganlib.sngan_projection.net import mlp

N_SHARED = 128
"""The length of a class's vector, which all blocks share."""


def large(
    gen_widths: Sequence[int],
    dis_widths: Sequence[int],
    config: NetConfig,
    spec: DataSpec,
    gen_at: int,
    dis_at: int,
) -> dict[str, nn.Module]:
    """Of so many times 96 channels, times the settings' width, with 20 components of z for each
    block. All of D's blocks but the last halve; attention is behind gen_at and dis_at blocks.
    """
    gen_widths = [scaled(96 * k, config.width) for k in gen_widths]
    dis_widths = [scaled(96 * k, config.width) for k in dis_widths]
    n_shared, down = scaled(N_SHARED, config.width), len(dis_widths) - 1
    gen = HierarchicalGenerator(spec.image, gen_widths, spec.n_classes, 20, n_shared, gen_at)
    features = ResNetFeatures(spec.image[0], dis_widths, down, SNConv2d, block=WideDisBlock)
    features.blocks.insert(dis_at, SelfAttention(dis_widths[dis_at - 1]))
    head = Projection(dis_widths[-1], spec.n_classes)
    return orthogonal(gen, ProjectionDiscriminator(features, head))


def quick(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Narrow, for a CPU: a generator with all that large ones have, sagan's quick D; no paper's."""
    n = n_halvings(spec.image)
    widths = [scaled(max(16, ch), config.width) for ch in (64, *(64 >> k for k in range(n)))]
    gen = HierarchicalGenerator(spec.image, widths, spec.n_classes, 16, 32, attention_at=n - 1)
    return orthogonal(gen, quick_dis(config, spec))


def deep128(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """BigGAN-deep: blocks with a bottleneck, twice as many, which are told of all of z."""
    ch, n_shared = scaled(128, config.width), scaled(N_SHARED, config.width)
    gen_widths = [k * ch for k in (16, 16, 8, 4, 2, 1)]
    dis_widths = [k * ch for k in (1, 2, 4, 8, 16, 16)]
    gen = DeepGenerator(spec.image, gen_widths, spec.n_classes, 128, n_shared, attention_at=4)
    features = DeepFeatures(spec.image[0], dis_widths, attention_at=1)
    head = Projection(dis_widths[-1], spec.n_classes)
    return orthogonal(gen, ProjectionDiscriminator(features, head))


def orthogonal(gen: nn.Module, dis: nn.Module) -> dict[str, nn.Module]:
    """Both, with orthogonal weights and biases 0."""
    init_orthogonal(gen)
    init_orthogonal(dis)
    return {"gen": gen, "dis": dis}


def cifar10(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The authors' for 32 pixels, launch_cifar_ema.sh: no parts of z, no shared vector, no
    attention; all weights, and what classes add to gains of 1, N(0, 0.02^2).
    """
    ch = scaled(256, config.width)
    gen = ClassResNetGenerator(spec.image, [ch] * 4, spec.n_classes, SNConv2d, SNLinear)
    features = ResNetFeatures(spec.image[0], [ch] * 4, 2, SNConv2d, block=WideDisBlock)
    dis = ProjectionDiscriminator(features, Projection(ch, spec.n_classes))
    init_normal(gen, 0.02)
    init_normal(dis, 0.02)
    nn.init.normal_(dis.head.embedding.weight, 0.0, 0.02)
    for module in gen.modules():
        if isinstance(module, ClassBatchNorm2d):
            nn.init.normal_(module.gains.weight, 1.0, 0.02)
            nn.init.normal_(module.betas.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5
    return {"gen": gen, "dis": dis}


build = Architectures(
    cifar10=cifar10,
    imagenet128=partial(large, (16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), gen_at=4, dis_at=1),
    imagenet256=partial(
        large, (16, 16, 8, 8, 4, 2, 1), (1, 2, 4, 8, 8, 16, 16), gen_at=4, dis_at=2
    ),
    imagenet512=partial(
        large, (16, 16, 8, 8, 4, 2, 1, 1), (1, 1, 2, 4, 8, 8, 16, 16), gen_at=4, dis_at=3
    ),
    deep128=deep128,
    quick=quick,
    mlp=mlp,
)
