"""Minibatch discrimination's recipe; the training is DCGAN's."""

from typing import Literal

from ganlib import config
from ganlib.common.data import Loader
from ganlib.common.layers.weight_norm import start_from_data
from ganlib.dcgan import updater


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe."""

    architecture: Literal["dcgan", "openai", "quick", "mlp"] = "dcgan"
    """dcgan: chainer-gan-lib's; openai: the authors'; quick: for a CPU; mlp: for points."""
    n_kernels: config.Count = 100
    """B: how many similarities the discriminator sees beside its features."""
    kernel_dim: config.Count = 5
    """C: the length of the vectors that a similarity compares."""
    adam_alpha: float = 1e-4


class Updater(updater.Updater):
    """DCGAN's. D sees the real and the fake batch apart, so each is compared within itself."""

    def start_from(self, data: Loader) -> None:
        """Both networks from a batch, if the architecture does so."""
        start_from_data(self.gen, self.dis, data)
