"""Algorithm 1 of Goodfellow et al. 2014 with y at every network: equation 2 of the paper."""

from torch import Tensor

from ganlib import AlgorithmConfig, updater
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus


class Config(AlgorithmConfig):
    condition = "labels"


class Updater(updater.Updater):
    def loss_dis(self, x_real: Tensor, y: Tensor, x_fake: Tensor, y_fake: Tensor) -> Tensor:
        return loss_dis_softplus(self.dis(x_real, y), self.dis(x_fake, y_fake))

    def loss_gen(self, z: Tensor, y_fake: Tensor) -> Tensor:
        return loss_gen_softplus(self.dis(self.gen(z, y_fake), y_fake))

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        n = len(x_real)
        y_fake = self.labels(n)
        loss_dis = self.loss_dis(x_real, y, self.fake(self.hidden(n), y_fake), y_fake)
        self.step(dis=loss_dis)

        y_fake = self.labels(n)
        loss_gen = self.loss_gen(self.hidden(n), y_fake)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}
