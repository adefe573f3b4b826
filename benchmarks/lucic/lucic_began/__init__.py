"""The study's BEGAN, whose k may leave [0, 1].

Lucic, Kurach, Michalski, Gelly, Bousquet 2018, https://arxiv.org/abs/1711.10337
"""

import torch
from torch import Tensor, nn

from ganlib import config
from ganlib.common.data import DataSpec
from ganlib.common.generator import scaled
from ganlib.registry import Algorithm

from ..study import updater
from ..study.net import Autoencoder, Gen


class Config(updater.GANConfig):
    """The study's defaults."""

    disc_iters: config.Count = 5
    """Steps of D, each an iteration, for each of G."""
    dis_bn: bool = False
    gamma: config.Rate = 0.75
    """What L(G(z)) / L(x) is held at, L the error of the autoencoder."""
    lambda_k: config.NonNegative = 0.001
    """Step of k, the weight of L(G(z)) in D's loss."""


def build(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """The study's G, and as D an autoencoder."""
    ch = scaled(64, config.width)
    return {"gen": Gen(spec.image, ch), "dis": Autoencoder(spec.image, ch, config.dis_bn)}


class Updater(updater.Updater):
    """compare_gan v1.0 src/gans/BEGAN.py."""

    config: Config
    kt: Tensor

    def setup(self) -> None:
        """k."""
        self.register_buffer("kt", torch.tensor(0.0))

    def error(self, v: Tensor) -> Tensor:
        """L(v) = E |v - AE(v)|."""
        return (self.dis(v) - v).abs().mean()

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, *x_near: Tensor) -> Tensor:
        """L(x) - k L(G(z))."""
        return self.error(x_real) - self.kt * self.error(x_fake)

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """L(G(z)), whose gradient goes through both of its terms."""
        return self.error(x_fake)

    @torch.no_grad()
    def finish(self, x_real: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Move k by lambda_k (gamma L(x) - L(G(z))) of the networks as they are by now."""
        loss_real, loss_fake = self.error(x_real), self.error(updater.unit(self.fake(z)))
        balance = self.mean(self.config.gamma * loss_real - loss_fake)
        self.kt.add_(self.config.lambda_k * balance)
        return {"measure": loss_real + balance.abs(), "kt": self.kt.clone()}


ALGORITHM = Algorithm(Config, build, Updater)
