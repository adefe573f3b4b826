"""The conditional GAN's networks: the paper's fully connected ones for MNIST, and small ones."""

import math

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, Generator, scaled
from ganlib.common.layers import BatchNorm2d, Maxout
from ganlib.common.layers.basic import one_hot
from ganlib.common.layers.conditional import ClassInput
from ganlib.common.layers.init import init_uniform
from ganlib.common.networks.mlp import MLPDiscriminator, MLPGenerator, n_hidden_for
from ganlib.common.networks.quick import N_HIDDEN as QUICK_HIDDEN
from ganlib.common.networks.quick import quick_discriminator, quick_generator

from .updater import Config


class DenseGenerator(Generator):
    """ReLU 200 of z and 1000 of y, beside each other to ReLU 1200, then a sigmoid for each pixel.

    dropout: the part of hidden units that is left out in training.
    """

    def __init__(self, image: Shape, n_classes: int, width: float, dropout: float) -> None:
        super().__init__(100, "uniform")
        h_z, h_y, h = (scaled(n, width) for n in (200, 1000, 1200))
        self.n_classes, self.image = n_classes, image
        self.from_z = nn.Sequential(nn.Linear(100, h_z), nn.ReLU())
        self.from_y = nn.Sequential(nn.Linear(n_classes, h_y), nn.ReLU())
        self.joint = nn.Sequential(
            *(nn.Dropout(dropout), nn.Linear(h_z + h_y, h), nn.ReLU()),
            *(nn.Dropout(dropout), nn.Linear(h, math.prod(image))),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """z (N, 100), moved to [0, 1] here, classes (N,) or (N, n_classes) -> (N, C, H, W)."""
        h_y = self.from_y(one_hot(y, self.n_classes, z))
        pixels = self.joint(torch.cat((self.from_z((z + 1) / 2), h_y), 1))
        return 2 * torch.sigmoid(pixels.unflatten(1, self.image)) - 1


class DenseDiscriminator(nn.Module):
    """Maxout of 240 units of 5 pieces of x and of 50 of y, both to 240 of 4, then one output."""

    def __init__(self, image: Shape, n_classes: int, width: float, dropout: float) -> None:
        super().__init__()
        h_x, h_y, h = (scaled(n, width) for n in (240, 50, 240))
        self.n_classes = n_classes
        self.from_x = Maxout(math.prod(image), h_x, 5)
        self.from_y = Maxout(n_classes, h_y, 5)
        self.joint = nn.Sequential(
            *(nn.Dropout(dropout), Maxout(h_x + h_y, h, 4)),
            *(nn.Dropout(dropout), nn.Linear(h, 1)),
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W) in [-1, 1], classes (N,) or (N, n_classes) -> logits (N, 1)."""
        x = (x.flatten(1) + 1) / 2
        h_y = self.from_y(one_hot(y, self.n_classes, x))
        return self.joint(torch.cat((self.from_x(x), h_y), 1))


class ClassPlanes(nn.Module):
    """A discriminator that sees a plane for each class: ones for the image's own, else zeros."""

    def __init__(self, dis: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.dis, self.n_classes = dis, n_classes

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x (N, C, H, W), classes (N,) or (N, n_classes) -> logits (N, 1)."""
        planes = one_hot(y, self.n_classes, x)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.dis(torch.cat((x, planes), 1))


def mnist(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Section 4.1: z 100 ~ U(0, 1), pixels in [0, 1] inside. The paper does not say how the weights
    start: as those of the first GAN, goodfeli/adversarial mnist.yaml.
    """
    gen = DenseGenerator(spec.image, spec.n_classes, config.width, config.dropout_gen)
    dis = DenseDiscriminator(spec.image, spec.n_classes, config.width, config.dropout_dis)
    init_uniform(gen, 0.05)
    init_uniform(dis, 0.005)
    return {"gen": gen, "dis": dis}


def quick(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Small enough for minutes on a CPU: common/networks/quick.py; no paper's networks."""
    (channels, height, width), n = spec.image, spec.n_classes
    gen = quick_generator(spec.image, config.width, QUICK_HIDDEN + n)
    dis = quick_discriminator((channels + n, height, width), config.width, norm=BatchNorm2d)
    return {"gen": ClassInput(gen, n), "dis": ClassPlanes(dis, n)}


def mlp(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """Three layers of 128, for points: common/networks/mlp.py; no paper's networks."""
    (channels, height, width), n = spec.image, spec.n_classes
    gen = MLPGenerator(spec.image, n_hidden_for(spec.image) + n, config.width)
    dis = MLPDiscriminator((channels + n, height, width), config.width)
    return {"gen": ClassInput(gen, n), "dis": ClassPlanes(dis, n)}


build = Architectures(mnist=mnist, quick=quick, mlp=mlp)
