"""Progressive growing's training."""

import torch
from torch import Tensor

from ganlib.common import losses
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.training.bases.staged import Staged
from ganlib.training.update.streams import Stage, Stages

from .config import SMALLEST, Config, at
from .net import faded, level_of

LOSSES_DIS = {"wgan_gp": losses.loss_dis_wasserstein, "hinge": losses.loss_dis_hinge}


class Updater(Staged):
    """n_dis critic steps, then one generator step, each with fresh z, on images that grow.

    Stages are numbered as in chainer-gan-lib: in an even one a size is trained alone, in an odd one
    the next one fades in.
    """

    config: Config

    def plan(self) -> Stages:
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
        images = [*(c.stage_images for _ in self.sides[1:]), c.last_images]
        sizes = zip(images, batches, self.sides, strict=True)
        return Stages([(seen, n, (side, side)) for seen, n, side in sizes], c.n_dis)

    def begin(self, stage: Stage) -> None:
        if self.config.reset_adam:
            super().begin(stage)

    def schedule(self, iteration: int) -> dict[str, float]:
        numbers, c = super().schedule(iteration), self.config
        factor = self.rates[self.stage(iteration).number] / c.adam_alpha
        return {**numbers, "lr": numbers["lr"] * factor, "alpha": self._alpha(iteration)}

    def stage_name(self, iteration: int) -> str:
        percent = int(100 * self._alpha(iteration))
        fades = f", fading in {percent}%" if self._fades(iteration) else ""
        return f"{super().stage_name(iteration)}{fades}"

    def generate(self, gen: Generator, code: Tensor, y: Tensor | None) -> Tensor:
        return gen(code, y, self.level, self.alpha)

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
        c, penalty = self.config, x_real.new_zeros(())
        if c.lam:  # first, so that of weights' gradients its own, in another layout, comes last
            x_mid = torch.lerp(x_fake, x_real, eps)
            n = self.spec.image[1] / x_mid.shape[-1] if c.penalty_at == "full" else 1
            slope = n * c.gamma
            penalty = losses.gradient_penalty(self.dis, x_mid, alpha, slope) / slope**2
        y_real = self.dis(x_real, alpha)
        loss = LOSSES_DIS[c.loss](y_real, self.dis(x_fake, alpha))
        return loss, penalty, y_real.square().mean()

    def loss_gen(self, z: Tensor, level: int, alpha: Tensor | None) -> Tensor:
        """-E D(G(z)), for both losses."""
        return losses.loss_gen_wasserstein(self.dis(self.gen(z, None, level, alpha), alpha))

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
