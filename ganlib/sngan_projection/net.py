"""The projection discriminator's networks: the authors' residual ones, a quick one, one for points.

Sizes as in pfnet-research/sngan_projection, gen_models/ and dis_models/; z 128 ~ N(0, 1).
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, Generator, NetConfig, scaled
from ganlib.common.layers import Factory
from ganlib.common.layers.conditional import (
    ClassBatchNorm2d,
    ClassInput,
    Projection,
    ProjectionDiscriminator,
)
from ganlib.common.layers.init import init_glorot_uniform, init_he_uniform, init_normal
from ganlib.common.layers.spectral_norm import SNConv2d, SNEmbedding, SNLinear
from ganlib.common.networks.dcgan import dense_relu
from ganlib.common.networks.mlp import HIDDEN, MLPGenerator, layers, n_hidden_for
from ganlib.common.networks.quick import layers as n_halvings
from ganlib.common.networks.quick import quick_discriminator
from ganlib.common.networks.resnet import (
    ClassResNetGenerator,
    DisBlock,
    OptimizedDisBlock,
    ResNetFeatures,
    global_sum,
)

IMAGENET128 = (1024, 1024, 512, 256, 128, 64)
N_EMBEDDING = 128
"""The length of a class's vector in the concat discriminator."""

deconv = partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1)


class QuickGenerator(Generator):
    """A linear layer, then convolutions that double the size, `up`: of DCGAN's kind, with
    class-conditional batch normalisation behind all but the first layer and the last.

    widths: channels from the smallest image on; H and W: multiples of 2 ** len(widths).
    """

    def __init__(
        self,
        image: Shape,
        widths: Sequence[int],
        n_classes: int,
        up: Factory = deconv,
        linear: Factory = nn.Linear,
    ) -> None:
        super().__init__(n_hidden=128, latent="normal")
        (channels, height, width), n = image, len(widths)
        bottom = (widths[0], height >> n, width >> n)
        self.l0 = dense_relu(self.n_hidden, bottom, linear=linear)
        self.convs = nn.ModuleList(up(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(ClassBatchNorm2d(ch, n_classes) for ch in widths[1:])
        self.last = up(widths[-1], channels)
        init_normal(self, 0.02)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, 128) and y, int64 (N,) or float (N, n_classes) -> images in [-1, 1]."""
        h = self.l0(z)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = F.relu(norm(conv(h), y))
        return torch.tanh(self.last(h))


class ConcatDiscriminator(nn.Module):
    """With a vector of the class at every pixel behind the third block: dis_models/snresnet.py.

    ch: channels behind the first block; H and W: multiples of 32.
    """

    def __init__(self, channels: int, n_classes: int, ch: int, n_embedding: int) -> None:
        super().__init__()
        c0, c1, c2, c3, c4 = (ch << i for i in range(5))
        block = partial(DisBlock, down=2, conv=SNConv2d)
        self.first = nn.Sequential(
            OptimizedDisBlock(channels, c0, conv=SNConv2d), block(c0, c1), block(c1, c2)
        )
        self.embedding = SNEmbedding(n_classes, n_embedding)
        self.second = nn.Sequential(
            block(c2 + n_embedding, c3), block(c3, c4), DisBlock(c4, c4, conv=SNConv2d)
        )
        self.l7 = SNLinear(c4, 1)
        init_glorot_uniform(self.l7)
        nn.init.xavier_uniform_(self.embedding.weight)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W), y int64 (N,) or float (N, n_classes) -> logits (N, 1)."""
        h = self.first(x)
        e = self.embedding(y)[:, :, None, None].expand(-1, -1, *h.shape[2:])
        return self.l7(global_sum(F.relu(self.second(torch.cat((h, e), 1)))))


def generator(widths: Sequence[int], config: NetConfig, spec: DataSpec) -> ClassResNetGenerator:
    """Of so many channels behind each block."""
    gen_widths = [scaled(ch, config.width) for ch in widths]
    return ClassResNetGenerator(spec.image, gen_widths, spec.n_classes)


def residual(
    gen_widths: Sequence[int],
    dis_widths: Sequence[int],
    config: NetConfig,
    spec: DataSpec,
    down: int = 5,
    bias: bool = True,
) -> dict[str, nn.Module]:
    """Generator and projection discriminator of so many channels behind each block.

    down: how many blocks of the discriminator halve the size; bias: of its last layer.
    """
    dis = [scaled(ch, config.width) for ch in dis_widths]
    return {
        "gen": generator(gen_widths, config, spec),
        "dis": ProjectionDiscriminator(
            ResNetFeatures(spec.image[0], dis, down, conv=SNConv2d),
            Projection(dis[-1], spec.n_classes, bias),
        ),
    }


def concat(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The paper's comparison: imagenet128's generator, and a class's vector beside features."""
    ch, n_embedding = scaled(64, config.width), scaled(N_EMBEDDING, config.width)
    return {
        "gen": generator(IMAGENET128, config, spec),
        "dis": ConcatDiscriminator(spec.image[0], spec.n_classes, ch, n_embedding),
    }


def quick(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """For minutes on a CPU: networks/quick.py told of classes, G half as wide; no paper's."""
    seen = quick_discriminator(spec.image, config.width, conv=SNConv2d)
    head = Projection(seen.l4.in_features, spec.n_classes)
    gen_widths = quick_widths(spec.image, config.width)
    return {
        "gen": QuickGenerator(spec.image, gen_widths, spec.n_classes),
        "dis": ProjectionDiscriminator(seen.features, head),
    }


def quick_widths(image: Shape, width: float) -> list[int]:
    """Channels of QuickGenerator."""
    return [scaled(128 >> k, width) for k in range(n_halvings(image))]


def mlp(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Three layers of 128, for points: common/networks/mlp.py; no paper's network."""
    n_hidden = n_hidden_for(spec.image) + spec.n_classes
    gen = MLPGenerator(spec.image, n_hidden, config.width)
    features = nn.Sequential(
        nn.Flatten(), layers(math.prod(spec.image), config.width, linear=SNLinear)
    )
    init_he_uniform(features)
    head = Projection(scaled(HIDDEN, config.width), spec.n_classes)
    return {"gen": ClassInput(gen, spec.n_classes), "dis": ProjectionDiscriminator(features, head)}


build = Architectures(
    cifar10=partial(residual, (256, 256, 256, 256), (128, 128, 128, 128), down=2, bias=False),
    imagenet64=partial(residual, (1024, 512, 256, 128, 64), (64, 128, 256, 512, 1024)),
    imagenet128=partial(residual, IMAGENET128, (64, 128, 256, 512, 1024, 1024)),
    imagenet128_concat=concat,
    quick=quick,
    mlp=mlp,
)
