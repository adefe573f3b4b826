"""Translators from the sources' set to the images' and back, and a discriminator of images."""

from typing import Any

from torch import Tensor, nn

from ganlib import Generator, UserError
from ganlib.common.data import DataSpec


def translator(n_in: int, n_out: int, ch: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, ch, 3, 1, 1), nn.ReLU(), nn.Conv2d(ch, n_out, 3, 1, 1), nn.Tanh()
    )


class Translator(Generator):
    multiple = 1

    def __init__(self, n_in: int, n_out: int, ch: int) -> None:
        super().__init__()
        self.layers = translator(n_in, n_out, ch)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.layers(y)


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    if spec.source[1:] != spec.image[1:]:
        raise UserError("This algorithm wants two sets of images of one size.")
    ch, channels, of_source = max(8, round(64 * config.width)), spec.image[0], spec.source[0]
    dis = nn.Sequential(
        nn.Conv2d(channels, ch, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(ch, 1, 4, 2, 1)
    )
    back = translator(channels, of_source, ch)
    return {"gen": Translator(of_source, channels, ch), "back": back, "dis": dis}
