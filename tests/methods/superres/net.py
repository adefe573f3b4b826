"""A generator without z: the source says it all. A discriminator of patches."""

from typing import Any

from torch import Tensor, nn

from ganlib import Generator, UserError
from ganlib.common.data import DataSpec

TIMES = 4


class Upscaler(Generator):
    multiple = 1

    def __init__(self, spec: DataSpec, ch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(spec.source[0], ch, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(ch, spec.image[0] * TIMES**2, 3, 1, 1),
            nn.PixelShuffle(TIMES),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.layers(y)


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    if spec.image[1:] != tuple(TIMES * n for n in spec.source[1:]):
        raise UserError(f"This algorithm wants images {TIMES} times as large as their sources.")
    ch = max(8, round(64 * config.width))
    dis = nn.Sequential(
        nn.Conv2d(spec.image[0], ch, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(ch, 1, 4, 2, 1)
    )
    return {"gen": Upscaler(spec, ch), "dis": dis}
