"""A generator that is given the class beside z."""

import torch
from torch import Tensor

from ganlib.common.labels import one_hot
from ganlib.common.net import Generator


class ClassInput(Generator):
    """Gives `gen` one_hot(y) for the last n_classes of its n_hidden latents."""

    def __init__(self, gen: Generator, n_classes: int) -> None:
        super().__init__(gen.n_hidden - n_classes, gen.latent)
        self.gen, self.n_classes = gen, n_classes

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) and y, int64 (N,) or float (N, n_classes) -> images (N, C, H, W)."""
        assert y is not None
        images: Tensor = self.gen(torch.cat((z, one_hot(y, self.n_classes, z)), 1))
        return images
