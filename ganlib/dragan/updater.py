"""DRAGAN's recipe and training."""

from typing import Literal

from torch import Tensor

from ganlib import config, updater
from ganlib.common.losses import gradient_penalty, loss_dis_softplus, loss_gen_softplus

LEVEL = 1 / 127.5  # one of the 256 levels of an image in [-1, 1]


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe."""

    architecture: Literal["dcgan", "quick", "mlp"] = "dcgan"
    """dcgan: chainer-gan-lib's networks; quick: small, for a CPU; mlp: for points."""
    n_dis: config.Count = 2
    """Discriminator updates per generator update."""
    lam: config.NonNegative = 10.0
    """Weight of the gradient penalty."""
    perturbation: Literal["elementwise", "scalar", "gaussian"] = "elementwise"
    """Around real images: chainer-gan-lib's, the authors' notebook's or the paper's."""
    c: config.Positive = 10.0
    """Variance of `gaussian`, in squares of the 256 levels of an image."""
    adam_alpha: float = 1e-4


class Updater(updater.Updater):
    """n_dis discriminator steps, each with fresh z, then one generator step with fresh z."""

    config: Config

    def near(self, x_real: Tensor) -> Tensor:
        """Points around the real images, where the slope is taken.

        gaussian: x + N(0, c I), equation 1 of the paper. scalar: x + alpha std u / 2 with alpha and
        u ~ U(0, 1), std over the whole batch, the authors' DRAGAN.ipynb. elementwise: x + std u / 2
        with std over the batch for each channel and pixel, chainer-gan-lib dragan/updater.py.
        """
        if self.config.perturbation == "gaussian":
            return x_real + (self.config.c * LEVEL**2) ** 0.5 * self.normal(*x_real.shape)
        u, batch = self.uniform(*x_real.shape), self.gather(x_real)
        if self.config.perturbation == "scalar":
            alpha = self.uniform(len(x_real), 1, 1, 1)
            return x_real + alpha * 0.5 * batch.std(correction=0) * u
        return x_real + 0.5 * batch.std(0, correction=0) * u

    def loss_dis(
        self, x_real: Tensor, x_fake: Tensor, x_near: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """E softplus(-D(x)) + E softplus(D(x~)), the penalty E (|grad D(x_near)| - 1)^2, D(x)."""
        penalty = gradient_penalty(self.dis, x_near)
        y_real = self.dis(x_real)
        loss_dis = self.lecam(loss_dis_softplus, y_real, self.dis(x_fake))
        return loss_dis, penalty, y_real

    def loss_gen(self, z: Tensor) -> Tensor:
        """E softplus(-D(G(z)))."""
        return loss_gen_softplus(self.dis(self.gen(z)))

    def update_core(self) -> dict[str, Tensor]:
        for _ in range(self.config.n_dis):
            x_real, _ = next(self.data)
            n = len(x_real)
            x_fake, x_near = self.fake(self.hidden(n)), self.near(x_real)
            loss_dis, loss_gp, y_real = self.loss_dis(x_real, x_fake, x_near)
            self.step(dis=loss_dis + self.config.lam * loss_gp)
            self.saw_real(y_real)

        loss_gen = self.loss_gen(self.hidden(n))
        self.step(gen=loss_gen)
        return {"loss_dis": loss_dis, "loss_gp": loss_gp, "loss_gen": loss_gen}
