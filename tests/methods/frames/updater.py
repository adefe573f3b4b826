"""Algorithm 1 of Mathieu et al. 2016 on one scale, with the L1 distance."""

import torch
from torch import Tensor

from ganlib import AlgorithmConfig, Generator
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus
from ganlib.config import NonNegative
from ganlib.training.bases.predicting import Predicting


class Config(AlgorithmConfig):
    condition = "images"
    lam: NonNegative = 20.0
    """Weight of the L1 distance: 1 / lambda_adv of the paper."""


class Updater(Predicting):
    def loss_dis(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> Tensor:
        return loss_dis_softplus(self.dis(x_real, y), self.dis(x_fake, y))

    def loss_gen(self, x_real: Tensor, x_fake: Tensor, y: Tensor) -> Tensor:
        distance = (x_fake - x_real).abs().mean()
        return loss_gen_softplus(self.dis(x_fake, y)) + self.config.lam * distance

    def update_core(self) -> dict[str, Tensor]:
        x_real, y = next(self.data)
        x_fake = self.gen(self.hidden(len(y)), y)
        loss_dis = self.loss_dis(x_real, x_fake.detach(), y)
        self.step(dis=loss_dis)

        loss_gen = self.loss_gen(x_real, x_fake, y)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen}

    def roll_out(self, gen: Generator, y: Tensor, steps: int) -> Tensor:
        past, found = y.shape[1], []
        for _ in range(-(-steps // self.spec.frames)):
            found.append(gen(y.new_empty(len(y), 0), y))
            y = torch.cat([y, found[-1]], 1)[:, -past:]
        return torch.cat(found, 1)[:, : steps * self.spec.image[0] // self.spec.frames]
