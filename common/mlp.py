"""Networks of three layers of 128 for points and other small data: `--architecture mlp`."""

import math

from torch import Tensor, nn

from common.data import POINTS, Shape
from common.init import init_he_uniform
from common.layers import Factory
from common.net import Generator, Latent, scaled

HIDDEN = 128


def layers(n_in: int, width: float = 1.0, linear: Factory = nn.Linear) -> nn.Sequential:
    """(N, n_in) -> (N, 128 * width): three linear layers, each followed by ReLU."""
    n = scaled(HIDDEN, width)
    return nn.Sequential(
        linear(n_in, n), nn.ReLU(), linear(n, n), nn.ReLU(), linear(n, n), nn.ReLU()
    )


class MLPGenerator(Generator):
    """Three layers and a linear one, without normalisation and without tanh.

    n_hidden: by default 4 for points, whose modes more noise hides for long, and 128 for images.
    """

    def __init__(
        self,
        image: Shape,
        n_hidden: int | None = None,
        width: float = 1.0,
        latent: Latent = "normal",
    ) -> None:
        n_hidden = n_hidden or (4 if image == POINTS else 128)
        super().__init__(n_hidden, latent)
        self.layers = layers(n_hidden, width)
        self.l4 = nn.Linear(scaled(HIDDEN, width), math.prod(image))
        self.image = image
        init_he_uniform(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) -> images (N, C, H, W); y is not used."""
        images: Tensor = self.l4(self.layers(z)).unflatten(1, self.image)
        return images


class MLPDiscriminator(nn.Module):
    """Three layers and a linear one; `linear=SNLinear` normalises each."""

    def __init__(
        self, image: Shape, width: float = 1.0, n_out: int = 1, linear: Factory = nn.Linear
    ) -> None:
        super().__init__()
        self.layers = layers(math.prod(image), width, linear)
        self.l4 = linear(scaled(HIDDEN, width), n_out)
        init_he_uniform(self)

    def features(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) -> what l4 sees (N, 128 * width)."""
        h: Tensor = self.layers(x.flatten(1))
        return h

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) -> logits (N, n_out); y is not used."""
        logits: Tensor = self.l4(self.features(x))
        return logits
