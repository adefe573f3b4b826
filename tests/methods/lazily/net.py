"""Two small networks of linear layers, which other methods here train too."""

from math import prod
from typing import Any

from torch import Tensor, nn

from ganlib import Generator
from ganlib.common.data import DataSpec


class LinearGenerator(Generator):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__(n_hidden=8, latent="normal")
        self.layers = nn.Sequential(
            nn.Linear(8, ch), nn.Softplus(), nn.Linear(ch, prod(spec.image)), nn.Tanh()
        )
        self.shape = spec.image

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.layers(z).unflatten(1, self.shape)


class LinearDiscriminator(nn.Module):
    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(prod(spec.image), ch), nn.Softplus(), nn.Linear(ch, 1)
        )

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.layers(x)


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    ch = max(8, round(64 * config.width))
    return {"gen": LinearGenerator(spec, ch), "dis": LinearDiscriminator(spec, ch)}
