"""DFM's recipe and training."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib import config, updater
from ganlib.common.layers import evaluating
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus

from .net import Denoiser, Discriminator


class Config(config.AlgorithmConfig):
    """chainer-gan-lib's recipe."""

    multiple = 16  # the discriminator halves four times
    architecture: Literal["dcgan", "quick", "mlp"] = "dcgan"
    """dcgan: chainer-gan-lib's networks; quick: small, for a CPU; mlp: three layers, for points."""
    lam: config.NonNegative = 0.03
    """Weight of the distance between features and denoised features, a mean over the features."""
    sigma: config.NonNegative = 1.0
    """Standard deviation of the noise that the denoiser learns to remove."""
    adam_alpha: float = 1e-4
    adam_beta1: float = 0.5


class Updater(updater.Updater):
    """One step of the denoiser r, the generator and the discriminator at once.

    Phi is the discriminator's features. To each of the three losses the other two networks are
    constants.
    """

    config: Config
    dis: Discriminator
    den: Denoiser

    def loss_den(self, x_real: Tensor, noise: Tensor) -> Tensor:
        """E (r(Phi(x) + sigma noise) - Phi(x))^2; noise ~ N(0, 1), (N, n_features)."""
        with torch.no_grad():
            features = self.dis.features(x_real)
        return F.mse_loss(self.den(features + self.config.sigma * noise), features)

    def loss_gen(self, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """E softplus(-D(G(z))), and E (Phi(G(z)) - r(Phi(G(z))))^2 with r(...) as a constant."""
        features = self.dis.features(x_fake)
        with torch.no_grad():
            target = self.den(features)
        return loss_gen_softplus(self.dis.l4(features)), F.mse_loss(features, target)

    def loss_dis(self, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """E softplus(-D(x)) + E softplus(D(G(z))), and D(x)."""
        y_real = self.dis(x_real)
        return self.lecam(loss_dis_softplus, y_real, self.dis(x_fake)), y_real

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        n = len(x_real)
        x_fake = self.gen(self.hidden(n))

        loss_den = self.loss_den(x_real, self.normal(n, self.den.n_features))
        with evaluating(self.den):  # the averages are of real features, and shall stay so
            loss_gen, loss_match = self.loss_gen(x_fake)
        loss_dis, y_real = self.loss_dis(x_real, x_fake.detach())
        self.step(den=loss_den, gen=loss_gen + self.config.lam * loss_match, dis=loss_dis)
        self.saw_real(y_real)
        return {
            "loss_dis": loss_dis,
            "loss_gen": loss_gen,
            "loss_match": loss_match,
            "loss_den": loss_den,
        }
