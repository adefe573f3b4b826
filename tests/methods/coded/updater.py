"""Equation 6 of the paper: both networks also descend what Q does not know of the codes."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from ganlib import AlgorithmConfig, updater
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.config import Count, NonNegative, Positive


class Config(AlgorithmConfig):
    adam_beta1: float = 0.5
    adam_alpha_gen: Positive = 1e-3
    """The generator's learning rate; adam_alpha is the discriminator's."""
    categories: Count = 10
    """Values of the categorical code."""
    lam: NonNegative = 1.0
    """Weight of the codes' part of both losses."""


class Updater(updater.Updater):
    def optimizers(self) -> dict[str, Optimizer]:
        alpha = self.config.adam_alpha_gen
        return {"gen": self.adam(self.gen, alpha=alpha), "dis": self.adam(self.dis)}

    def unknown(self, shape: Tensor, slant: Tensor, z: Tensor) -> Tensor:
        codes = self.gen.split(z)
        distance = (slant - codes["slant"]).square().mean()
        return self.config.lam * (F.cross_entropy(shape, codes["shape"]) + distance)

    def loss_dis(self, x_real: Tensor, x_fake: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        y_real, _, _ = self.dis(x_real)
        y_fake, *guess = self.dis(x_fake)
        return loss_dis_softplus(y_real, y_fake), self.unknown(*guess, z)

    def loss_gen(self, x_fake: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        y_fake, *guess = self.dis(x_fake)
        return loss_gen_softplus(y_fake), self.unknown(*guess, z)

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        z = self.hidden(len(x_real))
        x_fake = self.gen(z)
        loss_dis, unknown = self.loss_dis(x_real, x_fake.detach(), z)
        self.step(dis=loss_dis + unknown)

        loss_gen, unknown = self.loss_gen(x_fake, z)
        self.step(gen=loss_gen + unknown)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen, "unknown": unknown}

    def pictures(self, seed: int) -> dict[str, tuple[Tensor, int]]:
        """A row for each category, along which the slant grows."""
        n, slants = self.config.categories, torch.linspace(-1, 1, 8)
        z, _ = self.latents([0], seed)
        z = self.gen.choose(z.expand(8 * n, -1), torch.arange(n).repeat_interleave(8))
        self.gen.split(z)["slant"][:, 0] = slants.repeat(n)
        return {"slants": (self.decode(z), 8)}
