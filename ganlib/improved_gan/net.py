"""Networks with an output for each class: the authors' for CIFAR-10, and small ones for points."""

from copy import deepcopy
from typing import Literal, Protocol

from torch import nn

from common.data import DataSpec
from common.layers import GaussianNoise
from common.mlp import MLPDiscriminator, MLPGenerator
from common.net import NetConfig, scaled
from common.salimans import LAST_STD, SalimansDiscriminator, SalimansGenerator
from common.weight_norm import WNLinear

NOISE = {"dropout": nn.Dropout(0.2), "gaussian": GaussianNoise(0.3)}


class Config(NetConfig, Protocol):
    """What `build` reads of the settings."""

    @property
    def noise(self) -> Literal["dropout", "gaussian"]: ...


def build(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """The generator and the discriminator of config.architecture for spec.image, which has
    spec.n_classes outputs.
    """
    n_out = max(1, spec.n_classes)
    if config.architecture == "mlp":
        return mlp(spec, config.width, n_out)
    return openai(spec, config.width, n_out, deepcopy(NOISE[config.noise]))


def openai(spec: DataSpec, width: float, n_out: int, noise: nn.Module) -> dict[str, nn.Module]:
    """openai/improved-gan train_cifar_feature_matching.py; its noise on images is dropout, that of
    train_mnist_feature_matching.py Gaussian.
    """
    ch = scaled(96, width)
    last = WNLinear(2 * ch, n_out, train_gain=True, init_std=LAST_STD)
    return {
        "gen": SalimansGenerator(spec.image, scaled(512, width)),
        "dis": SalimansDiscriminator(spec.image, noise, last, ch),
    }


def mlp(spec: DataSpec, width: float, n_out: int) -> dict[str, nn.Module]:
    """Small networks for points: common/mlp.py."""
    return {
        "gen": MLPGenerator(spec.image, width=width),
        "dis": MLPDiscriminator(spec.image, width, n_out),
    }
