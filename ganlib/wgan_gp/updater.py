"""WGAN-GP's recipe and training: Algorithm 1 of the paper."""

from typing import Literal

import torch
from torch import Tensor

from ganlib import config, updater
from ganlib.common.losses import gradient_penalty, loss_dis_wasserstein, loss_gen_wasserstein


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe; example_configs/wgan_gp_cifar10_{cnn,resnet}.yaml: the authors'."""

    architecture: Literal["dcgan", "cnn", "resnet", "quick", "mlp"] = "dcgan"
    """dcgan: chainer-gan-lib's; cnn, resnet: the authors'; quick: for a CPU; mlp: for points."""
    n_dis: config.Count = 5
    """Critic updates per generator update."""
    lam: config.NonNegative = 10.0
    """Weight of the gradient penalty."""
    gen_batch_multiplier: config.Count = 1
    """Generator batch in units of batch_size."""


class Updater(updater.Updater):
    """n_dis critic steps, each with fresh z, then one generator step with fresh z."""

    config: Config

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """E D(x~) - E D(x) and the penalty E (|grad D(x^)| - 1)^2 at x^ = eps x + (1 - eps) x~."""
        penalty = gradient_penalty(self.dis, torch.lerp(x_fake, x_real, eps))
        return loss_dis_wasserstein(self.dis(x_real), self.dis(x_fake)), penalty

    def loss_gen(self, z: Tensor) -> Tensor:
        """-E D(G(z))."""
        return loss_gen_wasserstein(self.dis(self.gen(z)))

    def update_core(self) -> dict[str, Tensor]:
        for _ in range(self.config.n_dis):
            x_real, _ = next(self.data)
            n = len(x_real)
            x_fake, eps = self.fake(self.hidden(n)), self.uniform(n, 1, 1, 1)
            loss_dis, loss_gp = self.loss_dis(x_real, x_fake, eps)
            self.step(dis=loss_dis + self.config.lam * loss_gp)

        loss_gen = self.loss_gen(self.hidden(n * self.config.gen_batch_multiplier))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gp": loss_gp, "loss_gen": loss_gen}


def unmoved(config: Config) -> dict[str, str]:
    """The critic's last bias: it cancels in D(x~) - D(x), and the penalty does not see it."""
    last = "l5" if config.architecture == "resnet" else "l4"
    return {f"dis.{last}.bias": "a constant added to the critic cancels in its loss"}
