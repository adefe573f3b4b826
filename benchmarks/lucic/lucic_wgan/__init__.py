"""The study's WGAN: clipped, but with Adam, and with batch normalisation that is clipped too.

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

    adam_alpha: float = 5e-5
    disc_iters: config.Count = 5
    """Steps of D, each an iteration, for each of G."""
    clip: config.Positive = 0.01
    """Largest absolute value of D's parameters."""


class Updater(updater.Updater):
    """compare_gan v1.0 src/gans/WGAN.py."""

    config: Config

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, *x_near: Tensor) -> Tensor:
        """E D(G(z)) - E D(x)."""
        return loss_dis_wasserstein(self.dis(x_real), self.dis(x_fake))

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """-E D(G(z))."""
        return loss_gen_wasserstein(self.dis(x_fake))

    @torch.no_grad()
    def after_dis(self) -> None:
        """Clip every parameter of D, gains and biases too."""
        for parameter in self.dis.parameters():
            parameter.clamp_(-self.config.clip, self.config.clip)


ALGORITHM = Algorithm(Config, updater.build, Updater, unmoved=updater.last_bias)
