"""DCGAN's recipe and training: the discriminator, then the generator on the same fakes."""

from typing import Literal

from torch import Tensor

from ganlib import config, updater
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe; example_configs/dcgan_celeba.yaml is the paper's."""

    learns_in_bf16 = ("dcgan",)
    sides = {"radford": 64, "torch": 64}
    architecture: Literal["dcgan", "radford", "torch", "quick", "mlp"] = "dcgan"
    """dcgan: chainer-gan-lib's 32-pixel networks; radford: the paper's, 64 pixels; torch: the
    co-author's, 64; quick: small, for a CPU; mlp: small, for points.
    """


class Updater(updater.Updater):
    """Section 3 of the paper, with the non-saturating loss of Goodfellow et al. 2014."""

    config: Config

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """E softplus(-D(x)) + E softplus(D(G(z))), and D(x)."""
        y_real = self.dis(x_real)
        return self.lecam(loss_dis_softplus, y_real, self.dis(x_fake)), y_real

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """E softplus(-D(G(z)))."""
        return loss_gen_softplus(self.dis(x_fake))

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        x_fake = self.gen(self.hidden(len(x_real)))

        loss_dis, y_real = self.loss_dis(x_real, x_fake.detach())
        self.step(dis=loss_dis)
        self.saw_real(y_real)

        loss_gen = self.loss_gen(x_fake)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}
