"""Networks for three sizes of images: a block between two sizes, and a head at each.

`level` is how many doublings are in use; `alpha` fades the last one in, from 0 to 1.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, lerp, nn

from ganlib import Generator
from ganlib.common.data import DataSpec


class GrowingGenerator(Generator):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__(n_hidden=8, latent="normal")
        channels, height, width = spec.image
        bottom = (ch, height // 4, width // 4)
        linear = nn.Linear(8, ch * bottom[1] * bottom[2])
        self.first = nn.Sequential(linear, nn.LeakyReLU(0.2), nn.Unflatten(1, bottom))
        convs = [nn.ConvTranspose2d(ch, ch, 4, 2, 1) for _ in range(2)]
        self.blocks = nn.ModuleList([nn.Sequential(conv, nn.LeakyReLU(0.2)) for conv in convs])
        self.heads = nn.ModuleList([nn.Conv2d(ch, channels, 1) for _ in range(3)])

    def forward(self, z: Tensor, level: int, alpha: Tensor) -> Tensor:
        below = h = self.first(z)
        for block in self.blocks[:level]:
            below, h = h, block(h)
        x = self.heads[level](h)
        if level:
            smaller = F.interpolate(self.heads[level - 1](below), scale_factor=2)
            x = lerp(smaller, x, alpha)
        return x.tanh()


class GrowingDiscriminator(nn.Module):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__()
        channels, height, width = spec.image
        self.heads = nn.ModuleList([nn.Conv2d(channels, ch, 1) for _ in range(3)])
        convs = [nn.Conv2d(ch, ch, 4, 2, 1) for _ in range(2)]
        self.blocks = nn.ModuleList([nn.Sequential(conv, nn.LeakyReLU(0.2)) for conv in convs])
        self.last = nn.Sequential(nn.Flatten(), nn.Linear(ch * (height // 4) * (width // 4), 1))

    def forward(self, x: Tensor, level: int, alpha: Tensor) -> Tensor:
        h = self.heads[level](x)
        if level:
            h = lerp(self.heads[level - 1](F.avg_pool2d(x, 2)), self.blocks[level - 1](h), alpha)
        for block in reversed(self.blocks[: max(0, level - 1)]):
            h = block(h)
        return self.last(h)


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    ch = max(4, round(32 * config.width))
    return {"gen": GrowingGenerator(spec, ch), "dis": GrowingDiscriminator(spec, ch)}
