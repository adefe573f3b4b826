"""AC-GAN's recipe and training: section 3 of the paper."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from ganlib import config, updater
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus


class Config(config.AlgorithmConfig):
    """The paper's recipe for CIFAR-10."""

    condition = "labels"
    learns_in_bf16 = ("quick",)
    architecture: Literal["cifar10", "quick", "mlp"] = "cifar10"
    """cifar10: the paper's; quick: small, for a CPU; mlp: small, for points."""
    lam_dis: config.NonNegative = 1.0
    """Weight of the classes, of real and of generated images, in D's loss; 1 is the paper's."""
    lam_gen: config.NonNegative = 1.0
    """Weight of the classes in the generator's loss; 1 is the paper's."""
    batch_size: int = 100
    max_iter: int = 50_000
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999


class Updater(updater.Updater):
    """D ascends L_S + L_C, then G ascends L_C - L_S, in the non-saturating form, with fresh z."""

    config: Config

    def loss_dis(
        self, x_real: Tensor, y: Tensor, x_fake: Tensor, y_fake: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """-L_S, -L_C over real and generated images, and D's logits of the real ones."""
        s_real, c_real = self.dis(x_real)
        s_fake, c_fake = self.dis(x_fake)
        loss_class = F.cross_entropy(c_real, y) + F.cross_entropy(c_fake, y_fake)
        return self.lecam(loss_dis_softplus, s_real, s_fake), loss_class, s_real

    def loss_gen(self, z: Tensor, y_fake: Tensor) -> tuple[Tensor, Tensor]:
        """-log s(D(G(z, y))), and the cross entropy of y by the class that D sees."""
        s_fake, c_fake = self.dis(self.gen(z, y_fake))
        return loss_gen_softplus(s_fake), F.cross_entropy(c_fake, y_fake)

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        n = len(x_real)
        z, y_fake = self.hidden(n), self.labels(n)
        loss_dis, class_dis, s_real = self.loss_dis(x_real, y, self.fake(z, y_fake), y_fake)
        self.step(dis=loss_dis + self.config.lam_dis * class_dis)
        self.saw_real(s_real)

        loss_gen, class_gen = self.loss_gen(self.hidden(n), self.labels(n))
        self.step(gen=loss_gen + self.config.lam_gen * class_gen)
        return {
            "loss_dis": loss_dis,
            "class_dis": class_dis,
            "loss_gen": loss_gen,
            "class_gen": class_gen,
        }
