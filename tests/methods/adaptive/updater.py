"""Algorithm 1 of Goodfellow et al. 2014. One line more: D's logits of real images are said to
saw_real(), in update_core(), because a loss_* is compiled and may only return tensors.
"""

from torch import Tensor

from ganlib import AlgorithmConfig, config, updater
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus


class Config(AlgorithmConfig):
    diffaugment: config.Policies = ("color", "translation", "cutout")
    ada_target: config.Rate = 0.6


class Updater(updater.Updater):
    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        y_real = self.dis(x_real)
        return loss_dis_softplus(y_real, self.dis(x_fake)), y_real

    def loss_gen(self, z: Tensor) -> Tensor:
        return loss_gen_softplus(self.dis(self.gen(z)))

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        n = len(x_real)
        loss_dis, y_real = self.loss_dis(x_real, self.fake(self.hidden(n)))
        self.step(dis=loss_dis)
        self.saw_real(y_real)

        loss_gen = self.loss_gen(self.hidden(n))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}
