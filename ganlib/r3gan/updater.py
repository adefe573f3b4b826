"""R3GAN's recipe and training: the discriminator with both penalties, then the generator."""

import math
from collections.abc import Hashable
from typing import Literal

import torch
from torch import Tensor

from ganlib import config, updater
from ganlib.common.augment import DRAWS, POLICIES, Operation, augment, flip, probability_of
from ganlib.common.data import Condition
from ganlib.common.losses import loss_dis_relativistic, loss_gen_relativistic, r1_penalty

PIPE = (flip, *POLICIES["translation"], *POLICIES["color"], *POLICIES["cutout"])
Y = Tensor | None
BETA2_STEPS = 32
"""In how many steps beta2 goes from its first to its last value."""


class Config(config.AlgorithmConfig):
    """The authors' numbers for CIFAR-10, for a small network and batch and a quarter of the images;
    example_configs/r3gan_cifar10.yaml: their recipe. Everything with a `_final` goes there from its
    first value by half a cosine over decay_images.
    """

    sides = {"ffhq64": 64, "ffhq256": 256}
    architecture: Literal["small", "cifar10", "ffhq64", "ffhq256", "quick", "mlp"] = "small"
    """small: for one GPU, or a CPU at a width of 0.25; cifar10, ffhq64, ffhq256: the paper's;
    quick: small, with none of their blocks; mlp: for points.
    """
    labels: bool = False
    """Tell both networks the classes of the images, as the authors do for CIFAR-10 and ImageNet."""
    gamma: config.NonNegative = 0.05
    """Weight of both gradient penalties, times 1/2, at the start."""
    gamma_final: config.NonNegative = 0.005
    """The same at the end."""
    adam_alpha_final: config.NonNegative = 5e-5
    """Adam's learning rate at the end."""
    adam_beta2_final: config.Rate = 0.99
    """Adam's decay of the second moment at the end; it goes there in 32 steps."""
    aug_p: config.Rate = 0.0
    """Probability of each augmentation of an image at the start."""
    aug_p_final: config.Rate = 0.55
    """The same at the end; with both 0 there are no augmentations. They are those of ada, if it is
    given.
    """
    decay_images: config.Count = 5_000_000
    """Images (batch_size in an iteration) after which the final values hold."""
    ema_decay: float = 0.999

    @property
    def condition(self) -> Condition:  # type: ignore[override]
        """Labels, if the settings ask for them."""
        return "labels" if self.labels else None


class Updater(updater.Updater):
    """A D step, then a G step, each with real images and z of its own; where there are labels, a
    generated image has that of the real one it is paired with.
    """

    config: Config

    def loss_dis(
        self, x_real: Tensor, x_fake: Tensor, u_real: Tensor, u_fake: Tensor, p: Tensor, y: Y = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """E softplus(D(x~) - D(x)), R1 = E |grad D(x)|^2 and R2 = E |grad D(x~)|^2.

        The slopes are those at the images before their augmentation.
        """
        r1, y_real = r1_penalty(self.dis, x_real, y, lambda x: self.augment(x, u_real, p))
        r2, y_fake = r1_penalty(self.dis, x_fake, y, lambda x: self.augment(x, u_fake, p))
        return loss_dis_relativistic(y_real, y_fake), r1, r2

    def loss_gen(
        self, z: Tensor, x_real: Tensor, u_real: Tensor, u_fake: Tensor, p: Tensor, y: Y = None
    ) -> Tensor:
        """E softplus(D(x) - D(G(z)))."""
        with torch.no_grad():
            y_real = self.dis(self.augment(x_real, u_real, p), y)
        y_fake = self.dis(self.augment(self.gen(z, y), u_fake, p), y)
        return loss_gen_relativistic(y_real, y_fake)

    def update_core(self) -> dict[str, Tensor]:
        self._set_beta2()
        if self.config.ada:
            probability_of(self.dis).copy_(self.now["aug_p"])
        gamma, p = self.now["gamma"], self.now["aug_p"]

        x_real, y = next(self.data)
        n = len(x_real)
        x_fake = self.fake(self.hidden(n), y)
        loss_dis, r1, r2 = self.loss_dis(x_real, x_fake, self.draws(n), self.draws(n), p, y)
        self.step(dis=loss_dis + gamma / 2 * (r1 + r2))

        x_real, y = next(self.data)
        loss_gen = self.loss_gen(self.hidden(n), x_real, self.draws(n), self.draws(n), p, y)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "r1": r1, "r2": r2, "loss_gen": loss_gen}

    # ---- augmentation ------------------------------------------------------------------------

    @property
    def pipe(self) -> tuple[Operation, ...]:
        """The augmentations; none of points, which are no pictures, and none beside ada's."""
        c = self.config
        none = self.spec.image[1:] == (1, 1) or c.ada or not (c.aug_p or c.aug_p_final)
        return () if none else PIPE

    def draws(self, n: int) -> Tensor:
        """The random numbers of n images' augmentations."""
        return self.uniform(n, len(self.pipe), DRAWS)

    def augment(self, x: Tensor, u: Tensor, p: Tensor) -> Tensor:
        """x as the discriminator is to see it."""
        return augment(x, u, self.pipe, p)

    # ---- schedules ---------------------------------------------------------------------------

    def schedule(self, iteration: int) -> dict[str, float]:
        """lr, gamma and aug_p, by half a cosine."""
        c, t = self.config, self._progress(iteration)
        lr = cosine(1.0, c.adam_alpha_final / c.adam_alpha, t)
        return {
            "lr": super().schedule(iteration)["lr"] * lr,
            "gamma": cosine(c.gamma, c.gamma_final, t),
            "aug_p": cosine(c.aug_p, c.aug_p_final, t),
        }

    def phase(self, iteration: int) -> Hashable:
        """Adam's beta2, a constant of its kernel, which PyTorch would have to fetch from the device
        if it were a tensor; it changes in steps, so that an iteration can be captured for each.
        """
        c = self.config
        t = math.floor(BETA2_STEPS * self._progress(iteration)) / BETA2_STEPS
        return cosine(c.adam_beta2, c.adam_beta2_final, t)

    def _progress(self, iteration: int) -> float:
        """0 at the start, 1 from decay_images on."""
        return min(1.0, iteration * self.config.batch_size / self.config.decay_images)

    def _set_beta2(self) -> None:
        for optimizer in self.optimizer.values():
            for group in optimizer.param_groups:
                group["betas"] = (group["betas"][0], self.phase(self.iteration))


def cosine(first: float, last: float, t: float) -> float:
    """From `first` at t = 0 to `last` at t = 1 by half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * t)) / 2


def unmoved(config: Config) -> dict[str, str]:
    """The last bias: it cancels in D(x) - D(x~), and the penalties do not see it."""
    if config.architecture not in ("quick", "mlp"):
        return {}
    last = "dis.dis.l4.bias" if config.labels else "dis.l4.bias"
    return {last: "what is added whatever the image cancels in the discriminator's loss"}
