"""A mapping network from z to w, and a synthesis network from w to images.

code() is the first and draw() the second; forward() is what training calls. `sample --truncation`
asks truncate(), `interpolate --space code` goes a straight line between codes.
"""

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from ganlib import Generator
from ganlib.common.data import DataSpec
from ganlib.common.layers.basic import PixelNoise


class StyledGenerator(Generator):
    w_mean: Tensor

    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__(n_hidden=8, latent="normal")
        channels, height, width = spec.image
        self.mapping = nn.Sequential(nn.Linear(8, ch), nn.LeakyReLU(0.2), nn.Linear(ch, ch))
        # A buffer, so that snapshots hold it and the moving average of the weights takes it over.
        self.register_buffer("w_mean", torch.zeros(ch))
        self.constant = nn.Parameter(torch.randn(ch, height // 2, width // 2))
        self.style = nn.Linear(ch, ch)
        self.noise = PixelNoise(ch, height // 2, width // 2)
        self.image = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(ch, channels, 4, 2, 1), nn.Tanh())

    def code(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        w = self.mapping(z)
        if self.training:
            self.w_mean.lerp_(w.detach().mean(0).to(self.w_mean), 0.005)
        return w

    def draw(self, code: Tensor, y: Tensor | None = None) -> Tensor:
        return self.image(self.noise(self.constant * self.style(code)[:, :, None, None]))

    def truncate(self, code: Tensor, psi: float) -> Tensor:
        return self.w_mean.lerp(code, psi)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.draw(self.code(z))


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    ch = max(4, round(32 * config.width))
    dis = nn.Sequential(
        nn.Flatten(), nn.Linear(prod(spec.image), ch), nn.LeakyReLU(0.2), nn.Linear(ch, 1)
    )
    return {"gen": StyledGenerator(spec, ch), "dis": dis}
