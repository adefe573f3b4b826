"""Equation 4 of the paper: the loss of a conditional GAN, and L1 to the image of the pair."""

import torch
from torch import Tensor

from ganlib import AlgorithmConfig, updater
from ganlib.common.data import DataSet
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.config import Positive, Statistics


class Config(AlgorithmConfig):
    condition = "images"
    statistics: Statistics = "batch"
    lam: Positive = 100.0
    """Weight of the L1 distance."""


class Updater(updater.Updater):
    def loss_dis(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> Tensor:
        return loss_dis_softplus(self.dis(x_real, y), self.dis(x_fake, y))

    def loss_gen(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> Tensor:
        loss_l1 = (x_fake - x_real).abs().mean()
        return loss_gen_softplus(self.dis(x_fake, y)) + self.config.lam * loss_l1

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        x_fake = self.gen(self.hidden(len(x_real)), y)
        loss_dis = self.loss_dis(x_real, x_fake.detach(), y)
        self.step(dis=loss_dis)

        loss_gen = self.loss_gen(x_real, x_fake, y)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}


def mirrored(channels: int, side: int) -> DataSet:
    """Pairs of noise and its mirror image."""
    random = torch.Generator().manual_seed(0)
    x = torch.randint(256, (32, channels, side, side), dtype=torch.uint8, generator=random)
    return DataSet("mirrored", x, source=x.flip(3))
