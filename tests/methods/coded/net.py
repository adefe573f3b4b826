"""A generator from noise, a category and a number; a discriminator that guesses the last two."""

from math import prod
from typing import Any

from torch import Tensor, nn

from ganlib import Generator, Part
from ganlib.common.data import DataSpec


class CodedGenerator(Generator):
    def __init__(self, spec: DataSpec, categories: int, ch: int) -> None:
        noise, slant = Part("noise", 62, "uniform"), Part("slant", 1, "uniform")
        super().__init__(parts=[noise, Part("shape", categories, "category"), slant])
        layers = nn.Linear(self.n_hidden, ch), nn.BatchNorm1d(ch), nn.ReLU()
        self.layers = nn.Sequential(*layers, nn.Linear(ch, prod(spec.image)), nn.Tanh())
        self.shape = spec.image

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.layers(z).unflatten(1, self.shape)


class GuessingDiscriminator(nn.Module):
    """D and Q, which share all layers but the last: logits (n, 1), those of the categories
    (n, categories), and the slant (n, 1).
    """

    def __init__(self, spec: DataSpec, categories: int, ch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(prod(spec.image), ch), nn.LeakyReLU())
        self.dis, self.q = nn.Linear(ch, 1), nn.Linear(ch, categories + 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        h = self.layers(x)
        guess = self.q(h)
        return self.dis(h), guess[:, :-1], guess[:, -1:]


def build(config: Any, spec: DataSpec) -> dict[str, nn.Module]:
    ch = max(8, round(256 * config.width))
    gen = CodedGenerator(spec, config.categories, ch)
    return {"gen": gen, "dis": GuessingDiscriminator(spec, config.categories, ch)}
