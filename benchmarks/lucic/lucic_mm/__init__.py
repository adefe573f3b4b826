"""The study's MM GAN: G descends log(1 - D(G(z))), the minimax loss, and so stands where D is sure.

Lucic, Kurach, Michalski, Gelly, Bousquet 2018, https://arxiv.org/abs/1711.10337
"""

from torch import Tensor

from ganlib.common.losses import loss_gen_minimax
from ganlib.registry import Algorithm

from .. import lucic_ns
from ..study.updater import build


class Updater(lucic_ns.Updater):
    """compare_gan v1.0 src/gans/GAN.py, class GAN_MINMAX."""

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """E log(1 - D(G(z)))."""
        return loss_gen_minimax(self.dis(x_fake))


ALGORITHM = Algorithm(lucic_ns.Config, build, Updater)
