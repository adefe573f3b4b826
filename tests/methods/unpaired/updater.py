"""Equations 1 and 2 of Zhu et al. 2017 for one direction, with least squares as there."""

from torch import Tensor

from ganlib import AlgorithmConfig, updater
from ganlib.common.losses import loss_dis_least_squares, loss_gen_least_squares
from ganlib.config import NonNegative


class Config(AlgorithmConfig):
    condition = "unpaired"
    lam: NonNegative = 10.0
    """Weight of the way back to the source."""


class Updater(updater.Updater):
    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        return loss_dis_least_squares(self.dis(x_real), self.dis(x_fake), a=0, b=1)

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        return loss_gen_least_squares(self.dis(x_fake), c=1)

    def loss_back(self, x_fake: Tensor, y: Tensor) -> Tensor:
        return (self.back(x_fake) - y).abs().mean()

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        x_fake = self.gen(self.hidden(len(y)), y)
        loss_dis = self.loss_dis(x_real, x_fake.detach())
        self.step(dis=loss_dis)

        loss_gen, loss_back = self.loss_gen(x_fake), self.loss_back(x_fake, y)
        self.step(gen=loss_gen + self.config.lam * loss_back, back=loss_back)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen, "loss_back": loss_back}
