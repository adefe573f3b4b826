"""Cramer GAN's recipe and training: two independent fakes for each real image."""

from typing import Literal

import torch
from torch import Tensor

from ganlib import config, updater
from ganlib.common.losses import energy_distance, row_norm, slope_penalty, stateless


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe, which is the paper's optimizer."""

    architecture: Literal["dcgan", "quick", "mlp"] = "dcgan"
    """dcgan: chainer-gan-lib's networks; quick: small, for a CPU; mlp: for points."""
    output_dim: config.Count = 256
    """Length of the feature vector h(x)."""
    n_dis: config.Count = 5
    """Critic updates per generator update."""
    lam: config.NonNegative = 10.0
    """Weight of the gradient penalty."""
    adam_alpha: float = 1e-4
    adam_beta1: float = 0.5


class Updater(updater.Updater):
    """n_dis critic steps, then a generator step, each with two independent z; `dis` is h."""

    config: Config

    def loss_dis(
        self, x_real: Tensor, x_fake: Tensor, x_other: Tensor, eps: Tensor
    ) -> tuple[Tensor, Tensor]:
        """E f(x~) - E f(x), f(a) = |h(a) - h(x~')| - |h(a)|, and the penalty E (|grad f(x^)| - 1)^2
        at x^ = eps x + (1 - eps) x~, x~' of the same row held fixed.
        """
        h_other = self.dis(x_other)

        def f(h: Tensor) -> Tensor:
            return row_norm(h - h_other) - row_norm(h)

        x_mid = torch.lerp(x_fake, x_real, eps)
        penalty = slope_penalty(lambda x: f(stateless(self.dis, x)), x_mid)
        return (f(self.dis(x_fake)) - f(self.dis(x_real))).mean(), penalty

    def loss_gen(self, x_real: Tensor, z: Tensor, z_other: Tensor) -> Tensor:
        """E |h(x) - h(x~)| + |h(x) - h(x~')| - |h(x~) - h(x~')|, x~ = G(z), x~' = G(z')."""
        x_fake, x_other = self.gen(z), self.gen(z_other)
        return energy_distance(self.dis(x_real), self.dis(x_fake), self.dis(x_other))

    def update_core(self) -> dict[str, Tensor]:
        for _ in range(self.config.n_dis):
            x_real, _ = next(self.data)
            n = len(x_real)
            x_fake, x_other = self.fake(self.hidden(n)), self.fake(self.hidden(n))
            loss_dis, loss_gp = self.loss_dis(x_real, x_fake, x_other, self.uniform(n, 1, 1, 1))
            self.step(dis=loss_dis + self.config.lam * loss_gp)

        loss_gen = self.loss_gen(x_real, self.hidden(n), self.hidden(n))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gp": loss_gp, "loss_gen": loss_gen}
