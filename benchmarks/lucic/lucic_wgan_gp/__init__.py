"""The study's WGAN-GP, whose G alone has a z of its own.

Lucic, Kurach, Michalski, Gelly, Bousquet 2018, https://arxiv.org/abs/1711.10337
"""

import torch
from torch import Tensor

from ganlib import config
from ganlib.common.losses import loss_dis_wasserstein, loss_gen_wasserstein
from ganlib.registry import Algorithm

from ..study import updater


class Config(updater.GANConfig):
    """The study's defaults."""

    disc_iters: config.Count = 5
    """Steps of D, each an iteration, for each of G."""
    dis_bn: bool = False
    lam: config.NonNegative = 10.0
    """Weight of the gradient penalty."""


class Updater(updater.Updater):
    """compare_gan v1.0 src/gans/WGAN_GP.py."""

    config: Config
    fresh = True

    def near(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, ...]:
        """Points between real and generated images."""
        return (torch.lerp(x_real, x_fake, self.uniform(len(x_real), 1, 1, 1)),)

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, *x_near: Tensor) -> Tensor:
        """E D(G(z)) - E D(x) + lam E (|grad D(x^)| - 1)^2."""
        penalty = self.penalty(torch.Tensor.clone, x_near[0])
        loss = loss_dis_wasserstein(self.dis(x_real), self.dis(x_fake))
        return loss + self.config.lam * penalty

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """-E D(G(z))."""
        return loss_gen_wasserstein(self.dis(x_fake))


ALGORITHM = Algorithm(Config, updater.build, Updater, unmoved=updater.last_bias)
