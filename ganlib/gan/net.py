"""The first GAN's networks: its authors' fully connected ones for MNIST and for CIFAR-10."""

import math

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.generator import Architectures, Generator, Latent, NetConfig, scaled
from ganlib.common.layers import Maxout
from ganlib.common.layers.init import init_uniform
from ganlib.common.networks.mlp import mlp
from ganlib.common.networks.quick import quick

PIECES = 5


def maxout(image: Shape, units: int) -> nn.Sequential:
    """Two layers of maxout and a linear one, (N, C * H * W) -> (N, 1), with dropout before each.

    Of the inputs 0.8 are kept and of the others 0.5, as 1.25 and 2 times themselves.
    """
    net = nn.Sequential(
        nn.Dropout(0.2),
        Maxout(math.prod(image), units, PIECES),
        nn.Dropout(0.5),
        Maxout(units, units, PIECES),
        nn.Dropout(0.5),
        nn.Linear(units, 1),
    )
    init_uniform(net, 0.005)
    return net


class DenseGenerator(Generator):
    """`layers` (N, 100) -> (N, C * H * W), and nothing after them."""

    def __init__(self, image: Shape, layers: nn.Sequential, latent: Latent) -> None:
        super().__init__(100, latent)
        self.layers, self.image = layers, image

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, 100) -> images (N, C, H, W); y is not used."""
        return self.layers(z).unflatten(1, self.image)


class UnitGenerator(DenseGenerator):
    """`layers` of a uniform z of variance 1, then a sigmoid, which gives pixels in [0, 1]."""

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, 100) in [-1, 1], stretched by sqrt 3 -> (N, C, H, W) in [-1, 1]; y is not used."""
        return 2 * torch.sigmoid(super().forward(math.sqrt(3) * z)) - 1


class DenseDiscriminator(nn.Module):
    """`layers` (N, C * H * W) -> logits (N, 1)."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) -> logits (N, 1); y is not used."""
        return self.layers(x.flatten(1))


class UnitDiscriminator(DenseDiscriminator):
    """The same for pixels in [0, 1]: what dropout leaves out is black, as for its authors."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) in [-1, 1] -> logits (N, 1); y is not used."""
        return super().forward((x + 1) / 2)


def mnist(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """goodfeli/adversarial mnist.yaml: z 100 ~ U(-sqrt 3, sqrt 3), pixels in [0, 1] inside.

    There the biases of the pixels start where a constant picture is the mean of the data; here at
    0, because networks are built without data.
    """
    h, pixels = scaled(1200, config.width), math.prod(spec.image)
    gen = nn.Sequential(
        nn.Linear(100, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, pixels)
    )
    init_uniform(gen, 0.05)
    return {
        "gen": UnitGenerator(spec.image, gen, "uniform"),
        "dis": UnitDiscriminator(maxout(spec.image, scaled(240, config.width))),
    }


def cifar_fc(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """goodfeli/adversarial cifar10_fully_connected.yaml: z 100 ~ N(0, 1), sigmoids, linear pixels.

    There each picture is normalised to mean 0 and length 55, here its pixels are in [-1, 1].
    """
    h, pixels = scaled(8000, config.width), math.prod(spec.image)
    gen = nn.Sequential(
        nn.Linear(100, h), nn.ReLU(), nn.Linear(h, h), nn.Sigmoid(), nn.Linear(h, pixels)
    )
    init_uniform(gen, 0.05)
    init_uniform(gen[-1], 0.5)
    return {
        "gen": DenseGenerator(spec.image, gen, "normal"),
        "dis": DenseDiscriminator(maxout(spec.image, scaled(1600, config.width))),
    }


build = Architectures(mnist=mnist, cifar_fc=cifar_fc, quick=quick, mlp=mlp)
