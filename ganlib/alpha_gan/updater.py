"""alpha-GAN's recipe and training: Algorithm 1 of the paper."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import config
from ganlib.common.data import DataSet
from ganlib.common.losses import loss_dis_softplus, loss_gen_softplus, loss_gen_wasserstein
from ganlib.training.bases.reconstructing import Reconstructing

# what encoder and generator descend to pass for real
LOSSES = {
    "ratio": loss_gen_wasserstein,  # -log s(y) + log(1 - s(y)) is -y, s the sigmoid
    "softplus": loss_gen_softplus,
}


class Config(config.AlgorithmConfig):
    """The paper's algorithm, with the loss and lam of victor-shepardson/alpha-GAN for CIFAR-10."""

    architecture: Literal["dcgan", "quick", "mlp"] = "dcgan"
    """dcgan: chainer-gan-lib's and a mirrored encoder; quick: small, for a CPU; mlp: for points."""
    n_hidden: config.Count = 128
    """Components of z."""
    loss: Literal["softplus", "ratio"] = "softplus"
    """softplus: -log D, victor-shepardson/alpha-GAN's; ratio: -log D + log(1 - D), the paper's."""
    lam: config.NonNegative = 40.0
    """Weight of the reconstruction error, the mean over pixels of |x - G(E(x))|."""
    n_gen: config.Count = 2
    """Encoder and generator updates per update of the discriminators."""
    adam_beta1: float = 0.5


class Updater(Reconstructing):
    """n_gen times encoder and generator at once, then the discriminator, then the one of codes."""

    config: Config
    enc: nn.Module
    cdis: nn.Module

    def loss_autoencoder(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """|x - G(E(x))|, and what must fool: R(C(E(x))) for E, R(D(G(E(x)))) + R(D(G(z))) for G."""
        loss = LOSSES[self.config.loss]
        code = self.enc(x)
        # one pass for both, so that batch normalisation sees the mixture that it will sample with
        x_rec, x_fake = self.gen(torch.cat([code, z])).chunk(2)
        y_rec, y_fake = self.dis(torch.cat([x_rec, x_fake])).chunk(2)
        return (x - x_rec).abs().mean(), loss(self.cdis(code)), loss(y_rec) + loss(y_fake)

    def loss_dis(self, x: Tensor, x_rec: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        """-log D(x) - log(1 - D(G(E(x)))) - log(1 - D(G(z))), and the logits of D(x)."""
        y_rec, y_fake = self.dis(torch.cat([x_rec, x_fake])).chunk(2)
        y_real = self.dis(x)
        return loss_dis_softplus(y_real, y_rec) + F.softplus(y_fake).mean(), y_real

    def loss_cdis(self, z: Tensor, code: Tensor) -> Tensor:
        """-log C(z) - log(1 - C(E(x)))."""
        return loss_dis_softplus(self.cdis(z), self.cdis(code))

    def update_core(self) -> dict[str, Tensor]:
        x_real, _ = next(self.data)
        n, lam = len(x_real), self.config.lam
        for _ in range(self.config.n_gen):
            loss_rec, loss_enc, loss_gen = self.loss_autoencoder(x_real, self.hidden(n))
            self.step(enc=lam * loss_rec + loss_enc, gen=lam * loss_rec + loss_gen)

        code = self.encode(x_real)
        x_rec, x_fake = self.fake(torch.cat([code, self.hidden(n)])).chunk(2)
        loss_dis, y_real = self.loss_dis(x_real, x_rec, x_fake)
        self.step(dis=loss_dis)
        self.saw_real(y_real)

        loss_cdis = self.loss_cdis(self.hidden(n), code)
        self.step(cdis=loss_cdis)
        return {
            "loss_rec": loss_rec,
            "loss_enc": loss_enc,
            "loss_gen": loss_gen,
            "loss_dis": loss_dis,
            "loss_cdis": loss_cdis,
        }

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The codes (N, n_hidden) of images (N, C, H, W), without a graph."""
        return self.enc(x)

    def reconstruct(self, x: Tensor) -> Tensor:
        """G(E(x))."""
        return self.generate(self.gen, self.enc(x), None)

    def scores(self, test: DataSet) -> dict[str, float]:
        """reconstruction_test: the mean over test images and pixels of |x - G(E(x))|."""
        errors = [(x - self.reconstruct(x)).abs().mean((1, 2, 3)) for x in self.each(test)]
        return {"reconstruction_test": float(torch.cat(errors).double().mean())}
