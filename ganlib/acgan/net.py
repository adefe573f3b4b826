"""AC-GAN's networks for CIFAR-10, small ones for a CPU and for points."""

import math
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, NetConfig, scaled
from ganlib.common.layers import LEAK, BatchNorm2d
from ganlib.common.layers.conditional import ClassInput
from ganlib.common.layers.init import init_he_uniform, init_normal
from ganlib.common.networks.dcgan import StridedGenerator, dense_relu
from ganlib.common.networks.mlp import HIDDEN, MLPGenerator, layers, n_hidden_for
from ganlib.common.networks.quick import N_HIDDEN as QUICK_HIDDEN
from ganlib.common.networks.quick import quick_discriminator, quick_generator

N_NOISE = 100
"""Components of z; with the classes of CIFAR-10 they are the paper's 110."""
DIS_WIDTHS = (16, 32, 64, 128, 256, 512)


def features(image: Shape, widths: list[int]) -> nn.Sequential:
    """3x3 convolutions, every other of stride 2, leaky ReLU, dropout 0.5; BN from the second on."""
    parts: list[nn.Module] = []
    for k, (a, b) in enumerate(pairwise([image[0], *widths])):
        parts += [nn.Conv2d(a, b, 3, 2 - k % 2, 1), *([BatchNorm2d(b)] if k else [])]
        parts += [nn.LeakyReLU(LEAK), nn.Dropout(0.5)]
    return nn.Sequential(*parts, nn.Flatten())


class ClassifyingDiscriminator(nn.Module):
    """One linear layer of features for both questions: real or generated, and which class."""

    def __init__(self, features: nn.Module, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.features, self.n_classes = features, n_classes
        self.last = nn.Linear(n_features, 1 + n_classes)

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (N, C, H, W) -> logits of being real (N, 1) and of classes (N, n_classes); no y."""
        source, classes = self.last(self.features(x)).split([1, self.n_classes], 1)
        return source, classes


def cifar10(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The paper's for CIFAR-10: z 100 ~ N(0, 1), weights N(0, 0.02^2), biases 0."""
    ch = [scaled(n, config.width) for n in (384, 192, 96)]
    l0 = partial(dense_relu, norm=nn.Identity)
    deconv = partial(nn.ConvTranspose2d, kernel_size=5, stride=2, padding=2, output_padding=1)
    gen = StridedGenerator(spec.image, N_NOISE + spec.n_classes, "normal", ch, l0, deconv)
    dis_widths = [scaled(n, config.width) for n in DIS_WIDTHS]
    n_features = dis_widths[-1] * (spec.image[1] >> 3) * (spec.image[2] >> 3)
    dis = ClassifyingDiscriminator(features(spec.image, dis_widths), n_features, spec.n_classes)
    init_normal(gen, 0.02)
    init_normal(dis, 0.02)
    return {"gen": ClassInput(gen, spec.n_classes), "dis": dis}


def quick(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Small enough for minutes on a CPU: common/networks/quick.py; no paper's networks."""
    gen = quick_generator(spec.image, config.width, QUICK_HIDDEN + spec.n_classes)
    seen = quick_discriminator(spec.image, config.width, norm=BatchNorm2d)
    dis = ClassifyingDiscriminator(seen.features, seen.l4.in_features, spec.n_classes)
    init_normal(dis.last, 0.02)
    return {"gen": ClassInput(gen, spec.n_classes), "dis": dis}


def mlp(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """Three layers of 128, for points: common/networks/mlp.py; no paper's network."""
    n_hidden = n_hidden_for(spec.image) + spec.n_classes
    seen = nn.Sequential(nn.Flatten(), layers(math.prod(spec.image), config.width))
    dis = ClassifyingDiscriminator(seen, scaled(HIDDEN, config.width), spec.n_classes)
    init_he_uniform(dis)
    gen = MLPGenerator(spec.image, n_hidden, config.width)
    return {"gen": ClassInput(gen, spec.n_classes), "dis": dis}


build = Architectures(cifar10=cifar10, quick=quick, mlp=mlp)
