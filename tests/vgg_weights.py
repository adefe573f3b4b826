"""Files as torchvision's of VGG19's weights, with random ones."""

from pathlib import Path

import torch
from torch import Tensor

WIDTHS = [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8
NUMBERS = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
"""Of the convolutions among torchvision's layers."""


def write_vgg(path: Path, convolutions: int, seed: int = 0) -> dict[str, Tensor]:
    """Write the first ones, which keep the size of what passes them, and return them."""
    random = torch.Generator().manual_seed(seed)
    weights = {}
    for n_in, n_out, k in zip([3, *WIDTHS], WIDTHS[:convolutions], NUMBERS, strict=False):
        w = torch.randn(n_out, n_in, 3, 3, generator=random) * (2 / (9 * n_in)) ** 0.5
        weights[f"features.{k}.weight"] = w
        weights[f"features.{k}.bias"] = 0.1 * torch.randn(n_out, generator=random)
    torch.save(weights, path)
    return weights
