"""A generator that is given a class beside z, and a discriminator that is given it beside x."""

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from ganlib import Generator
from ganlib.common.data import DataSpec
from ganlib.common.layers.basic import ClassEmbedding


class LabelledGenerator(Generator):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__(n_hidden=8, latent="normal")
        self.classes = ClassEmbedding(spec.n_classes, 8)
        self.layers = nn.Sequential(
            nn.Linear(16, ch), nn.ReLU(), nn.Linear(ch, prod(spec.image)), nn.Tanh()
        )
        self.shape = spec.image

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.layers(torch.cat([z, self.classes(y)], 1)).unflatten(1, self.shape)


class LabelledDiscriminator(nn.Module):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__()
        self.classes = ClassEmbedding(spec.n_classes, ch)
        # a layer after the two have met: without it D could not tell whether they fit
        self.layers = nn.Sequential(
            nn.Linear(prod(spec.image) + ch, ch), nn.LeakyReLU(0.2), nn.Linear(ch, 1)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.layers(torch.cat([x.flatten(1), self.classes(y)], 1))


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    ch = max(8, round(64 * config.width))
    return {"gen": LabelledGenerator(spec, ch), "dis": LabelledDiscriminator(spec, ch)}
