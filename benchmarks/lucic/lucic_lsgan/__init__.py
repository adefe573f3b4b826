"""The study's LSGAN: squares of probabilities, where the paper has them of logits.

Lucic, Kurach, Michalski, Gelly, Bousquet 2018, https://arxiv.org/abs/1711.10337
"""

from torch import Tensor

from ganlib.common.losses import loss_dis_least_squares, loss_gen_least_squares
from ganlib.registry import Algorithm

from ..study import updater


class Config(updater.GANConfig):
    """The study's defaults."""

    adam_alpha: float = 2e-4


class Updater(updater.Updater):
    """compare_gan v1.0 src/gans/LSGAN.py."""

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, *x_near: Tensor) -> Tensor:
        """(E (D(x) - 1)^2 + E D(G(z))^2) / 2, D a probability."""
        y_real, y_fake = self.dis(x_real).sigmoid(), self.dis(x_fake).sigmoid()
        return loss_dis_least_squares(y_real, y_fake, a=0, b=1)

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """E (D(G(z)) - 1)^2 / 2."""
        return loss_gen_least_squares(self.dis(x_fake).sigmoid(), c=1)


ALGORITHM = Algorithm(Config, updater.build, Updater)
