"""The study's VAE, of G's and D's shapes.

Lucic, Kurach, Michalski, Gelly, Bousquet 2018, https://arxiv.org/abs/1711.10337
"""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from ganlib import updater
from ganlib.common.data import DataSpec
from ganlib.common.generator import scaled
from ganlib.registry import Algorithm

from ..study.net import Dis, Gen
from ..study.updater import Config as StudyConfig
from ..study.updater import unit


class Config(StudyConfig):
    """The study's defaults."""

    adam_alpha: float = 5e-5


def build(config: Config, spec: DataSpec) -> dict[str, nn.Module]:
    """A decoder with ReLU, and D with 128 numbers for its logit as encoder."""
    ch = scaled(64, config.width)
    gen = Gen(spec.image, ch, "normal", nn.ReLU)
    return {"enc": Dis(spec.image, ch, config.dis_bn, n_out=2 * gen.n_hidden), "gen": gen}


class Updater(updater.Updater):
    """compare_gan v1.0 src/gans/VAE.py."""

    enc: nn.Module
    gen: Gen

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for both networks, which share one loss."""
        return {"vae": self.adam(self.enc, self.gen)}

    def loss_vae(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """KL(q(z|x) || p(z)), and the cross entropy of x, in [0, 1], and its reconstruction; both
        for one image, and the latter for one of its channels.
        """
        mean, raw = self.enc(x).chunk(2, 1)
        deviation = 1e-6 + F.softplus(raw)
        square = deviation.square()
        loss_kl = (mean.square() + square - (1e-8 + square).log() - 1).sum(1) / 2
        logits = self.gen.layers(mean + deviation * eps)
        loss_rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((2, 3))
        return loss_kl.mean(), loss_rec.mean()

    def update_core(self) -> dict[str, Tensor]:
        x_real = unit(next(self.data)[0])
        loss_kl, loss_rec = self.loss_vae(x_real, self.normal(len(x_real), self.gen.n_hidden))
        self.step(vae=loss_kl + loss_rec)
        return {"elbo": -loss_kl - loss_rec, "kl": loss_kl, "reconstruction": -loss_rec}


ALGORITHM = Algorithm(Config, build, Updater)
