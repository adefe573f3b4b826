"""A decoder, called gen, an encoder, and features with fixed random weights in place of VGG's."""

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from ganlib import Generator
from ganlib.common.data import DataSpec


class Decoder(Generator):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__(n_hidden=8, latent="normal")
        self.layers = nn.Sequential(
            nn.Linear(8, ch), nn.ReLU(), nn.Linear(ch, prod(spec.image)), nn.Tanh()
        )
        self.shape = spec.image

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.layers(z).unflatten(1, self.shape)


def encoder(spec: DataSpec, ch: int) -> nn.Module:
    n = prod(spec.image)
    return nn.Sequential(nn.Flatten(), nn.Linear(n, ch), nn.ReLU(), nn.Linear(ch, 16))


def features(spec: DataSpec) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        convs = [nn.Conv2d(spec.image[0], 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1)]
        return nn.Sequential(*convs)


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    ch = max(8, round(64 * config.width))
    return {"gen": Decoder(spec, ch), "enc": encoder(spec, ch)}
