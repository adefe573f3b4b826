"""BEGAN's recipe and training: section 3.3 of the paper."""

import math
from typing import Literal

import torch
from torch import Tensor

from ganlib import config, updater


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe; example_configs/began_celeba.yaml is carpedm20's of the paper."""

    architecture: Literal["dcgan", "dcgan_bn", "paper", "quick", "mlp"] = "dcgan"
    """dcgan: chainer-gan-lib's networks; dcgan_bn: with batch normalisation in G, for images on a
    plain ground; paper: the paper's as by carpedm20; quick: small, for a CPU; mlp: for points.
    """
    gamma: config.Rate = 0.5
    """What L(G(z)) / L(x) is held at, L the error of the autoencoder: lower is less diverse."""
    lambda_k: config.NonNegative = 0.001
    """Step of k, the weight of L(G(z)) in the discriminator's loss."""
    stall_interval: config.Interval = 0
    """Iterations after which to halve the learning rates, unless the mean of the measure over them
    is 1 % below the lowest such mean so far; 0 never halves.
    """
    stall_rate: config.NonNegative = 0.0
    """The learning rate below which halving does not go."""


class Updater(updater.Updater):
    """One step of both networks at once, then one of k.

    The paper halves the learning rate "when the measure of convergence stalls"; what that means is
    ours: see Config.stall_interval. All state is on the device: k (`kt`), the sum of the measure
    since the last comparison, the lowest mean of it, and the factor on the learning rates.
    """

    config: Config
    kt: Tensor
    measure_sum: Tensor
    measure_best: Tensor
    lr_factor: Tensor

    def setup(self) -> None:
        """k, and what decides when the learning rates halve."""
        self.register_buffer("kt", torch.tensor(0.0))
        self.register_buffer("measure_sum", torch.tensor(0.0))
        self.register_buffer("measure_best", torch.tensor(math.inf))
        self.register_buffer("lr_factor", torch.tensor(1.0))

    def rate(self) -> Tensor:
        """The schedule's factor, halved as often as the measure has stalled."""
        return super().rate() * self.lr_factor

    def error(self, v: Tensor) -> Tensor:
        """L(v) = E |v - AE(v)|, the mean over batch, channels and pixels."""
        return self.dis(v).abs().mean()

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """L(x) and L(G(z)), of which the discriminator descends L(x) - k L(G(z))."""
        return self.error(x_real), self.error(x_fake)

    def loss_gen(self, x_fake: Tensor) -> Tensor:
        """L(G(z)); its gradient goes through G(z) both as the input and as the target."""
        return self.error(x_fake)

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        x_fake = self.gen(self.hidden(len(x_real)))

        loss_real, loss_fake = self.loss_dis(x_real, x_fake.detach())
        loss_dis = loss_real - self.kt * loss_fake
        loss_gen = self.loss_gen(x_fake)
        self.step(gen=loss_gen, dis=loss_dis)

        measure = self.balance(self.mean(loss_real), self.mean(loss_gen))
        self.halve_if_stalled(measure)
        return {
            "loss_dis": loss_dis,
            "loss_gen": loss_gen,
            "measure": measure,
            "kt": self.kt.clone(),
            "lr_factor": self.lr_factor.clone(),
        }

    def balance(self, loss_real: Tensor, loss_fake: Tensor) -> Tensor:
        """Move k by lambda_k (gamma L(x) - L(G(z))) within [0, 1].

        Returns M = L(x) + |gamma L(x) - L(G(z))|.
        """
        balance = self.config.gamma * loss_real - loss_fake
        self.kt.add_(self.config.lambda_k * balance).clamp_(0, 1)
        return loss_real + balance.abs()

    def halve_if_stalled(self, measure: Tensor) -> None:
        """Every stall_interval iterations: compare the measure's mean, halve, start a new sum."""
        interval, floor = self.config.stall_interval, self.config.stall_rate
        if interval == 0:
            return
        self.measure_sum.add_(measure)
        due = (self.clock + 1) % interval == 0
        mean, best = self.measure_sum / interval, self.measure_best
        halved = (self.lr_factor / 2).clamp(min=min(1.0, floor / self.config.adam_alpha))
        stalled = due & (mean > 0.99 * best)
        self.lr_factor.copy_(torch.where(stalled, halved, self.lr_factor))
        self.measure_best.copy_(torch.where(due, mean.minimum(best), best))
        self.measure_sum.mul_(~due)
