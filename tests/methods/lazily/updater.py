"""R1 in every 16th iteration and the path length penalty in every 4th, as much stronger."""

import torch
from torch import Tensor

from ganlib import AlgorithmConfig, config, updater
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus, r1_penalty


class Config(AlgorithmConfig):
    r1_every: config.Count = 16
    path_every: config.Count = 4
    gamma: config.NonNegative = 10.0
    ema_images: config.Positive = 10_000.0
    """Images after which the moving average has forgotten half."""
    ema_decay: config.Rate = 0.999
    """0 keeps no average; its decay follows from ema_images."""


class Updater(updater.Updater):
    path_mean: Tensor
    shared = {"path_mean": "equal"}

    def setup(self) -> None:
        self.register_buffer("path_mean", next(self.gen.parameters()).new_zeros(()))

    def phase(self, iteration: int) -> tuple[bool, bool]:
        return iteration % self.config.r1_every == 0, iteration % self.config.path_every == 0

    def schedule(self, iteration: int) -> dict[str, float]:
        n = self.config.batch_size
        # as in StyleGAN2's code, at first it is no longer than a twentieth of what was seen
        half_life = min(self.config.ema_images, max(n, iteration * n / 20))
        return {**super().schedule(iteration), "ema_decay": 0.5 ** (n / half_life)}

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> Tensor:
        return loss_dis_softplus(self.dis(x_real), self.dis(x_fake))

    def loss_gen(self, z: Tensor) -> Tensor:
        return loss_gen_softplus(self.dis(self.gen(z)))

    def path_lengths(self, z: Tensor, noise: Tensor) -> Tensor:
        z.requires_grad_()
        (slope,) = torch.autograd.grad((self.gen(z) * noise).sum(), z, create_graph=True)
        return slope.norm(dim=1)

    def update_core(self) -> dict[str, Tensor]:
        c, (with_r1, with_path) = self.config, self.phase(self.iteration)
        x_real, _ = next(self.data)
        n = len(x_real)
        loss_dis = total = self.loss_dis(x_real, self.fake(self.hidden(n)))
        if with_r1:
            r1, _ = r1_penalty(self.dis, x_real)
            total = total + c.r1_every * c.gamma / 2 * r1
        self.step(dis=total)

        loss_gen = total = self.loss_gen(self.hidden(n))
        if with_path:
            lengths = self.path_lengths(self.hidden(n), self.normal(n, *self.spec.image))
            self.path_mean.lerp_(self.mean(lengths.mean()), 0.01)
            total = total + c.path_every * 2 * (lengths - self.path_mean).square().mean()
        self.step(gen=total)
        return {"loss_dis": loss_dis, "loss_gen": loss_gen, "path_mean": self.path_mean.clone()}
