"""The non-saturating loss of Goodfellow et al. 2014: nothing here knows of codes."""

from torch import Tensor

from ganlib import AlgorithmConfig, updater
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus


class Config(AlgorithmConfig):
    pass


class Updater(updater.Updater):
    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        return loss_dis_softplus(self.dis(x_real), self.dis(x_fake))

    def loss_gen(self, z: Tensor) -> Tensor:
        return loss_gen_softplus(self.dis(self.gen(z)))

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        n = len(x_real)
        loss_dis = self.loss_dis(x_real, self.fake(self.hidden(n)))
        self.step(dis=loss_dis)

        loss_gen = self.loss_gen(self.hidden(n))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}
