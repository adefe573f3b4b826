"""A generator from source images y to images, and a discriminator of both side by side.

Nothing is drawn: z has no components. The dropout is on in sampling too, with the masks of the
sample's own number.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ganlib import Generator
from ganlib.common.data import DataSpec
from ganlib.common.layers.basic import Dropout


class DroppedGenerator(Generator):
    multiple = 2

    def __init__(self, sources: int, channels: int, ch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(sources, ch, 4, 2, 1),
            nn.BatchNorm2d(ch),
            nn.ReLU(),
            Dropout(),
            nn.ConvTranspose2d(ch, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.layers(y)


class PairDiscriminator(nn.Module):
    def __init__(self, channels: int, ch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, ch, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(ch, 1, 4, 2, 1)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.layers(torch.cat([x, y], 1))


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    ch = max(4, round(32 * config.width))
    sources, channels = spec.source[0], spec.image[0]
    gen = DroppedGenerator(sources, channels, ch)
    return {"gen": gen, "dis": PairDiscriminator(sources + channels, ch)}
