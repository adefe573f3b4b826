"""A VAE whose reconstructions are compared by the features of a network that is never trained."""

import torch
from torch import Tensor, nn

from ganlib import AlgorithmConfig, updater
from ganlib.common.data import Loader

from .net import features


class Config(AlgorithmConfig):
    pass


class Updater(updater.Updater):
    vgg: nn.Module

    def start_from(self, data: Loader) -> None:
        self.freeze("vgg", features(self.spec))

    def loss(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.enc(x).chunk(2, 1)
        divergence = (mean.square() + log_var.exp() - log_var - 1).sum(1) / 2
        copy = self.gen(mean + (log_var / 2).exp() * noise)
        with torch.no_grad():
            wanted = self.vgg(x)
        difference = (self.vgg(copy) - wanted).square().flatten(1).sum(1)
        return difference.mean(), divergence.mean()

    def update_core(self) -> dict[str, Tensor]:
        x, _ = next(self.data)
        difference, divergence = self.loss(x, self.normal(len(x), self.gen.n_hidden))
        total = difference + divergence
        self.step(gen=total, enc=total)
        return {"difference": difference, "divergence": divergence}
