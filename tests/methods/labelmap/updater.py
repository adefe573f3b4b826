"""Equation 1 of Wang et al. 2018, with least squares as there and one discriminator."""

from torch import Tensor

from ganlib import AlgorithmConfig, updater
from ganlib.common.losses import loss_dis_least_squares, loss_gen_least_squares


class Config(AlgorithmConfig):
    condition = "images"


class Updater(updater.Updater):
    def loss_dis(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> Tensor:
        return loss_dis_least_squares(self.dis(x_real, y), self.dis(x_fake, y), a=0, b=1)

    def loss_gen(self, x_fake: Tensor, y: Tensor) -> Tensor:
        return loss_gen_least_squares(self.dis(x_fake, y), c=1)

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        x_fake = self.gen(self.hidden(len(y)), y)
        loss_dis = self.loss_dis(x_real, x_fake.detach(), y)
        self.step(dis=loss_dis)

        loss_gen = self.loss_gen(x_fake, y)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}
