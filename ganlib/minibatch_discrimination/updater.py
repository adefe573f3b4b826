"""Minibatch discrimination's recipe; the training is DCGAN's."""

from collections.abc import Mapping
from typing import Literal

from torch import nn

from ganlib import config
from ganlib.common.data import DataSpec, Loader
from ganlib.common.weight_norm import start_from_data
from ganlib.dcgan import updater


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe."""

    architecture: Literal["dcgan", "openai", "mlp"] = "dcgan"
    """dcgan: chainer-gan-lib's networks; openai: the authors' for CIFAR-10; mlp: small, for points.
    """
    n_kernels: config.Count = 100
    """B: how many similarities the discriminator sees beside its features."""
    kernel_dim: config.Count = 5
    """C: the length of the vectors that a similarity compares."""
    adam_alpha: config.Positive = 1e-4
    """Adam's learning rate."""


class Updater(updater.Updater):
    """DCGAN's. D sees the real and the fake batch apart, so each is compared within itself."""

    def __init__(
        self,
        config: Config,
        data: Loader | None,
        spec: DataSpec,
        networks: Mapping[str, nn.Module],
    ) -> None:
        start_from_data(networks, data)
        super().__init__(config, data, spec, networks)
