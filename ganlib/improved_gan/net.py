"""Networks with an output for each class: the authors' for CIFAR-10 and MNIST, and for points."""

import math
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers import BiasBatchNorm1d, GaussianNoise
from ganlib.common.layers.init import init_glorot_uniform, init_normal
from ganlib.common.layers.weight_norm import WNLinear
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator
from ganlib.common.networks.quick import quick_critic
from ganlib.common.networks.salimans import EPS, LAST_STD, SalimansDiscriminator, SalimansGenerator

from .updater import Config


def n_out(spec: DataSpec) -> int:
    """The discriminator's outputs: one for each class, or one without labels."""
    return max(1, spec.n_classes)


class DenseGenerator(Generator):
    """Two layers of 500 with batch normalisation and softplus, then one to the pixels whose rows
    have learned lengths.

    z is U(-1, 1)^100 and not U(0, 1)^100: the first batch normalisation undoes the difference.
    """

    def __init__(self, image: Shape, width: float = 1.0) -> None:
        super().__init__(100, "uniform")
        h, norm, self.image = scaled(500, width), partial(BiasBatchNorm1d, eps=EPS), image
        last = WNLinear(h, math.prod(image), train_gain=True, init_std=None)
        self.layers = nn.Sequential(
            *(nn.Linear(100, h, bias=False), norm(h), nn.Softplus()),
            *(nn.Linear(h, h, bias=False), norm(h), nn.Softplus()),
            last,
        )
        init_glorot_uniform(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, 100) -> images (N, C, H, W) in [-1, 1]; y is not used."""
        return 2 * torch.sigmoid(self.layers(z).unflatten(1, self.image)) - 1


class DenseDiscriminator(nn.Module):
    """Layers of 1000, 500, 250, 250 and 250, weight-normalised with ReLU, and l4.

    Noise before each: of deviation 0.3 on the pixels, 0.5 on what follows.
    """

    def __init__(self, image: Shape, width: float = 1.0, n_out: int = 10) -> None:
        super().__init__()
        sizes = [math.prod(image), *(scaled(n, width) for n in (1000, 500, 250, 250, 250))]
        sigmas = [0.3, 0.5, 0.5, 0.5, 0.5]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(GaussianNoise(sigma), WNLinear(n_in, n), nn.ReLU())
                for sigma, (n_in, n) in zip(sigmas, pairwise(sizes), strict=True)
            )
        )
        self.noise = GaussianNoise(0.5)
        self.l4 = WNLinear(sizes[-1], n_out, train_gain=True)
        init_normal(self, 0.1)

    def features(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) in [-1, 1] -> the last hidden layer (N, 250)."""
        return self.layers((x.flatten(1) + 1) / 2)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) in [-1, 1] -> logits (N, n_out); y is not used."""
        return self.l4(self.noise(self.features(x)))


def openai(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """openai/improved-gan train_cifar_feature_matching.py; its noise on images is dropout, that of
    train_mnist_feature_matching.py Gaussian.
    """
    ch = scaled(96, config.width)
    noise = nn.Dropout(0.2) if config.noise == "dropout" else GaussianNoise(0.3)
    last = WNLinear(2 * ch, n_out(spec), train_gain=True, init_std=LAST_STD)
    return {
        "gen": SalimansGenerator(spec.image, scaled(512, config.width)),
        "dis": SalimansDiscriminator(spec.image, noise, last, ch),
    }


def mnist(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """openai/improved-gan train_mnist_feature_matching.py; pixels are in [0, 1] inside."""
    return {
        "gen": DenseGenerator(spec.image, config.width),
        "dis": DenseDiscriminator(spec.image, config.width, n_out(spec)),
    }


def quick(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Small enough for minutes on a CPU: common/networks/quick.py; no paper's networks.

    No norm in D: behind one the mean features of real and of generated images would be alike.
    """
    return quick_critic(config, spec, n_out(spec))


def mlp(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Small networks for points: common/networks/mlp.py."""
    return {
        "gen": MLPGenerator(spec.image, width=config.width),
        "dis": MLPDiscriminator(spec.image, config.width, n_out(spec)),
    }


build = Architectures(openai=openai, mnist=mnist, quick=quick, mlp=mlp)
