"""Progressive growing's recipe and training."""

from typing import Annotated, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from ganlib import config, updater
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.common.losses import (
    gradient_penalty,
    loss_dis_hinge,
    loss_dis_wasserstein,
    loss_gen_wasserstein,
)
from ganlib.training.update.streams import Stage, Stages

from .by_size import Counts, Numbers, at
from .net import SMALLEST, faded, level_of

LOSSES_DIS = {"wgan_gp": loss_dis_wasserstein, "hinge": loss_dis_hinge}


def doubling(side: int) -> int:
    """`side` itself; ValueError for one that 4 pixels do not reach by doubling."""
    if side != SMALLEST << level_of(side):
        raise ValueError("should be 4, 8, 16, 32, ...")
    return side


Side = Annotated[int, Field(ge=SMALLEST), AfterValidator(doubling)]


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe, which is for 32 pixels.

    example_configs/progressive_cifar10_paper.yaml, progressive_lsun256.yaml and
    progressive_celebahq1024.yaml are the paper's.
    """

    architecture: Literal["chainer", "paper", "cifar10", "quick", "mlp"] = "chainer"
    """chainer: chainer-gan-lib's, for 32 pixels; paper: the paper's for up to 1024; cifar10: the
    paper's for CIFAR-10; quick: small, for a CPU; mlp: small, of one size, for points.
    """
    batch_size: config.Count = 16
    batch_sizes: Counts = ""
    """Other batch sizes from a side of the images on, such as 256=14,512=6,1024=3."""
    start_resolution: Side = 4
    """Side of the images that training begins with."""
    max_resolution: Side | None = None
    """Side of the last ones; by default the first doubling of 4 in which the data fit."""
    stage_images: config.Count = 400_000
    """Real images for which a size is trained alone before the next one, and for which that fades
    in."""
    last_images: config.Count = 4_000_000
    """Real images for which the last size is trained alone, where max_iter is 0."""
    max_iter: config.Interval = 0
    """Iterations to train for; 0: as many as the stages take."""
    loss: Literal["wgan_gp", "hinge"] = "wgan_gp"
    """The critic's: the distance of the means, or hinges; with the penalties below both times."""
    n_dis: config.Count = 1
    """Critic updates per generator update."""
    lam: config.NonNegative = 10.0
    """Weight of the gradient penalty, divided by gamma^2; 0: none."""
    gamma: config.Positive = 750.0
    """Norm that the critic's gradient is held near."""
    penalty_at: Literal["stage", "full"] = "stage"
    """At which images that gradient is taken: stage (those of the stage, as in chainer-gan-lib) or
    full (the same at the last size, enlarged by repeating pixels, as in the paper's programs: at
    images of half that side its norm is half as long).
    """
    drift: config.NonNegative = 1e-3
    """Weight of E D(x)^2, which holds the critic near 0."""
    adam_alpha: config.Positive = 1e-3
    adam_alphas: Numbers = ""
    """Other learning rates from a side of the images on, such as 128=0.0015,256=0.002."""
    adam_beta2: config.Rate = 0.99
    reset_adam: bool = False
    """Let Adam forget its moments where a stage begins."""
    ema_decay: config.Rate = 0.999

    def revisions(self) -> tuple[str, ...]:
        of_batches = self.architecture == "paper"
        return ("minibatch deviation is over the batch, not groups of 4",) if of_batches else ()

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """max_resolution, or 4 times a power of two; points stay points."""
        if height == width == 1:
            return 1, 1
        side = self.max_resolution or SMALLEST
        while self.max_resolution is None and side < max(height, width):
            side *= 2
        return side, side


class Updater(updater.Updater):
    """n_dis critic steps, then one generator step, each with fresh z, on images that grow.

    Stages are numbered as in chainer-gan-lib: in an even one a size is trained alone, in an odd one
    the next one fades in.
    """

    config: Config
    gen: Generator
    dis: nn.Module

    def setup(self) -> None:
        c, last = self.config, self.spec.image[1]
        first = last if c.architecture == "mlp" else c.start_resolution
        if first > last:
            raise UserError(
                f"Training cannot begin with {first} pixels and end with {last}: give a smaller "
                "--start-resolution."
            )
        doublings = [SMALLEST << k for k in range(level_of(first) + 1, level_of(last) + 1)]
        self.sides = [first, *(side for side in doublings for _ in range(2))]
        self.rates = [at(c.adam_alphas, side, c.adam_alpha) for side in self.sides]
        batches = [int(at(c.batch_sizes, side, c.batch_size)) for side in self.sides]
        sizes = zip(batches, self.sides, strict=True)
        self.stages = Stages([(c.stage_images, n, (side, side)) for n, side in sizes], c.n_dis)

    def stage(self, iteration: int) -> Stage:
        return self.stages.at(iteration)

    def begin(self, stage: Stage) -> None:
        if self.config.reset_adam:
            self.reset("gen")
            self.reset("dis")

    def length(self) -> int:
        """max_iter, or what all stages take."""
        c, last = self.config, self.stages.stages[-1]
        more = -(-c.last_images // (last.batch_size * c.n_dis))
        return c.max_iter or self.stages.starts[-1] + more

    def schedule(self, iteration: int) -> dict[str, float]:
        numbers, c = super().schedule(iteration), self.config
        factor = self.rates[self.stage(iteration).number] / c.adam_alpha
        return {**numbers, "lr": numbers["lr"] * factor, "alpha": self._alpha(iteration)}

    def stage_name(self, iteration: int) -> str:
        percent = int(100 * self._alpha(iteration))
        fades = f", fading in {percent}%" if self._fades(iteration) else ""
        return f"{super().stage_name(iteration)}{fades}"

    def generate(self, gen: Generator, code: Tensor, y: Tensor | None) -> Tensor:
        images: Tensor = gen(code, y, self.level, self.alpha)
        return images

    @property
    def level(self) -> int:
        """That of the images of this stage; see net.py."""
        return level_of(self.sides[self.current.number])

    @property
    def alpha(self) -> Tensor | None:
        """How far they have faded in, 0-dim; None in a stage in which nothing fades."""
        return self.now["alpha"] if self.current.number % 2 else None

    def loss_dis(
        self, x_real: Tensor, x_fake: Tensor, eps: Tensor, alpha: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """E D(x~) - E D(x) or its hinges, E (|grad D(x^)| / n - gamma)^2 / gamma^2 at x^ = eps x +
        (1 - eps) x~, and E D(x)^2. n: 1, or with penalty_at full how many times a pixel is repeated
        in each direction: each of the n^2 has an n^2-th of its slope.
        """
        y_real, c = self.dis(x_real, alpha), self.config
        loss = LOSSES_DIS[c.loss](y_real, self.dis(x_fake, alpha))
        penalty = torch.zeros_like(loss)
        if c.lam:
            x_mid = torch.lerp(x_fake, x_real, eps)
            n = self.spec.image[1] / x_mid.shape[-1] if c.penalty_at == "full" else 1
            penalty = gradient_penalty(self.dis, x_mid, alpha, n * c.gamma) / (n * c.gamma) ** 2
        return loss, penalty, y_real.square().mean()

    def loss_gen(self, z: Tensor, level: int, alpha: Tensor | None) -> Tensor:
        """-E D(G(z)), for both losses."""
        return loss_gen_wasserstein(self.dis(self.gen(z, None, level, alpha), alpha))

    def update_core(self) -> dict[str, Tensor]:
        level, alpha, c = self.level, self.alpha, self.config
        for _ in range(c.n_dis):
            x_real, _ = next(self.data)
            n = len(x_real)
            x_fake, eps = self.fake(self.hidden(n)), self.uniform(n, 1, 1, 1)
            loss_dis, loss_gp, drift = self.loss_dis(faded(x_real, alpha), x_fake, eps, alpha)
            self.step(dis=loss_dis + c.lam * loss_gp + c.drift * drift)

        loss_gen = self.loss_gen(self.hidden(n), level, alpha)
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gp": loss_gp, "loss_gen": loss_gen}

    def _fades(self, iteration: int) -> bool:
        return self.stage(iteration).number % 2 == 1

    def _alpha(self, iteration: int) -> float:
        fades = self._fades(iteration)
        return self.stages.inside(iteration) / self.config.stage_images if fades else 1.0
