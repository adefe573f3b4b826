"""A generator of what changes from the last frame to the next; a discriminator of sequences."""

from typing import Any

import torch
from torch import Tensor, nn

from ganlib import Generator
from ganlib.common.data import DataSpec


class NextFrame(Generator):
    multiple = 1

    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__()
        self.frames = spec.source_frames
        self.change = nn.Sequential(
            nn.Conv2d(spec.source[0], ch, 3, 1, 1), nn.ReLU(), nn.Conv2d(ch, spec.image[0], 3, 1, 1)
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        last = y.unflatten(1, (self.frames, -1))[:, -1]
        return (last + self.change(y)).clamp(-1, 1)


class SequenceDiscriminator(nn.Module):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(spec.source[0] + spec.image[0], ch, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(ch, 1, 4, 2, 1),
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.layers(torch.cat([y, x], 1))


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    ch = max(8, round(64 * config.width))
    return {"gen": NextFrame(spec, ch), "dis": SequenceDiscriminator(spec, ch)}
