"""Networks of three layers of 128 for points and other small data: `--architecture mlp`."""

import math
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from ganlib.common.data import POINTS, DataSpec, Shape
from ganlib.common.generator import Generator, NetConfig, scaled
from ganlib.common.layers import Factory
from ganlib.common.layers.init import init_he_uniform

HIDDEN = 128


def mlp(config: NetConfig, spec: DataSpec) -> dict[str, nn.Module]:
    """The architecture: a generator with z ~ N(0, 1) and a discriminator; no paper's networks."""
    return {
        "gen": MLPGenerator(spec.image, width=config.width),
        "dis": MLPDiscriminator(spec.image, config.width),
    }


def n_hidden_for(image: Shape) -> int:
    """Components of z: 4 for points, whose modes more noise hides for long, and 128 for images."""
    return 4 if image == POINTS else 128


def layers(
    n_in: int, width: float = 1.0, linear: Factory = nn.Linear, norm: Factory = nn.Identity
) -> nn.Sequential:
    """(N, n_in) -> (N, 128 * width): three linear layers, each followed by `norm` and ReLU."""
    n = scaled(HIDDEN, width)
    sizes = pairwise((n_in, n, n, n))
    parts = [(linear(a, b), norm(b), nn.ReLU()) for a, b in sizes]
    return nn.Sequential(*(m for part in parts for m in part if not isinstance(m, nn.Identity)))


class MLPGenerator(Generator):
    """Three layers and a linear one, without tanh; `norm` follows each of the three.

    n_hidden: by default n_hidden_for(image).
    """

    def __init__(
        self,
        image: Shape,
        n_hidden: int | None = None,
        width: float = 1.0,
        norm: Factory = nn.Identity,
    ) -> None:
        n_hidden = n_hidden or n_hidden_for(image)
        super().__init__(n_hidden, "normal")
        self.layers = layers(n_hidden, width, norm=norm)
        self.l4 = nn.Linear(scaled(HIDDEN, width), math.prod(image))
        self.image = image
        init_he_uniform(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) -> images (N, C, H, W); y is not used."""
        return self.l4(self.layers(z)).unflatten(1, self.image)


class MLPDiscriminator(nn.Module):
    """Three layers and a linear one; `linear=SNLinear` normalises each."""

    l4: Any

    def __init__(
        self, image: Shape, width: float = 1.0, n_out: int = 1, linear: Factory = nn.Linear
    ) -> None:
        super().__init__()
        self.layers = layers(math.prod(image), width, linear)
        self.l4 = linear(scaled(HIDDEN, width), n_out)
        init_he_uniform(self)

    def features(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) -> what l4 sees (N, 128 * width)."""
        return self.layers(x.flatten(1))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) -> logits (N, n_out); y is not used."""
        return self.l4(self.features(x))
