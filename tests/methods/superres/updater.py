"""Equation 3 of Ledig et al. 2017, with the L1 distance of pixels as content loss."""

from torch import Tensor

from ganlib import AlgorithmConfig, updater
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.config import NonNegative


class Config(AlgorithmConfig):
    condition = "images"
    lam: NonNegative = 100.0
    """Weight of the L1 distance."""

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """These networks take every size, so nothing need be padded."""
        return height, width


class Updater(updater.Updater):
    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        return loss_dis_softplus(self.dis(x_real), self.dis(x_fake))

    def loss_gen(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        distance = (x_fake - x_real).abs().mean()
        return loss_gen_softplus(self.dis(x_fake)) + self.config.lam * distance

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        x_fake = self.gen(self.hidden(len(y)), y)
        loss_dis = self.loss_dis(x_real, x_fake.detach())
        self.step(dis=loss_dis)

        loss_gen = self.loss_gen(x_real, x_fake)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}
