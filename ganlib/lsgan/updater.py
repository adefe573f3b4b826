"""LSGAN's recipe and losses; the training is DCGAN's, G on the fakes that D was shown."""

from typing import Literal

from torch import Tensor

from ganlib import config
from ganlib.common.losses import loss_dis_least_squares, loss_gen_least_squares
from ganlib.dcgan import updater


class Config(config.AlgorithmConfig):
    """The authors' Adam on chainer-LSGAN's networks; lsgan_lsun_church.yaml: on the paper's."""

    sides = {"lsun": 112}
    architecture: Literal["cifar", "lsun", "quick", "mlp"] = "cifar"
    """cifar: chainer-LSGAN's; lsun: the paper's, 112 pixels; quick: for a CPU; mlp: for points."""
    a: float = 0.0
    """What D should say of generated images."""
    b: float = 1.0
    """What D should say of real images."""
    c: float = 1.0
    """What G wants D to say of its images."""
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999


class Updater(updater.Updater):
    """Section 3.2 of the paper."""

    config: Config  # type: ignore[assignment]

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """E (D(x) - b)^2 / 2 + E (D(G(z)) - a)^2 / 2; what is above 0 where D(x) is nearer b."""
        a, b = self.config.a, self.config.b
        y_real, y_fake = self.dis(x_real), self.dis(x_fake)
        return loss_dis_least_squares(y_real, y_fake, a, b), (y_real - (a + b) / 2) * (b - a)

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """E (D(G(z)) - c)^2 / 2."""
        return loss_gen_least_squares(self.dis(x_fake), self.config.c)
