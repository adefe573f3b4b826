"""The study's DRAGAN: the slope is that of the probability, where others have that of the logit.

Lucic, Kurach, Michalski, Gelly, Bousquet 2018, https://arxiv.org/abs/1711.10337
"""

import torch
from torch import Tensor

from ganlib import config
from ganlib.registry import Algorithm

from .. import lucic_ns
from ..study import updater


class Config(updater.GANConfig):
    """The study's defaults."""

    lam: config.NonNegative = 10.0
    """Weight of the gradient penalty."""


class Updater(lucic_ns.Updater):
    """compare_gan v1.0 src/gans/DRAGAN.py."""

    config: Config

    def near(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, ...]:
        """Points between x and x + std u / 2, u ~ U(0, 1), std that of all pixels of the batch."""
        deviation = self.gather(x_real).std(correction=0)
        noise = deviation * self.uniform(*x_real.shape) / 2
        return (x_real + self.uniform(len(x_real), 1, 1, 1) * noise,)

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, *x_near: Tensor) -> Tensor:
        """NS GAN's + lam E (|grad D(x^)| - 1)^2, D a probability."""
        penalty = self.penalty(torch.sigmoid, x_near[0])
        return super().loss_dis(x_real, x_fake) + self.config.lam * penalty


ALGORITHM = Algorithm(Config, updater.build, Updater)
