"""The study's NS GAN: G ascends log D(G(z)).

Lucic, Kurach, Michalski, Gelly, Bousquet 2018, https://arxiv.org/abs/1711.10337
"""

from torch import Tensor

from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.registry import Algorithm

from ..study import updater


class Config(updater.GANConfig):
    """The study's defaults."""

    adam_alpha: float = 5e-5
    adam_beta1: float = 0.0


class Updater(updater.Updater):
    """compare_gan v1.0 src/gans/GAN.py, class GAN."""

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, *x_near: Tensor) -> Tensor:
        """-E log D(x) - E log(1 - D(G(z)))."""
        return loss_dis_softplus(self.dis(x_real), self.dis(x_fake))

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """-E log D(G(z))."""
        return loss_gen_softplus(self.dis(x_fake))


ALGORITHM = Algorithm(Config, updater.build, Updater)
