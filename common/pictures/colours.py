"""Colours by hue, saturation and value, and maps of numbers, of classes for example, in colour."""

from colorsys import hsv_to_rgb

import torch
from torch import Tensor

GROUND = (48, 48, 48)
"""The colour of number 0."""
GOLDEN = 0.618  # of the circle of hues, so that neighbours in number differ


def coloured(ids: Tensor) -> Tensor:
    """Whole numbers from 0 on (...) as colours, uint8 (3, ...)."""
    hues = [hsv(GOLDEN * i % 1, 0.55, 0.95) for i in range(1, int(ids.max()) + 1)]
    palette = torch.tensor([GROUND, *hues])
    return palette.round().to(torch.uint8)[ids.long()].movedim(-1, 0)


def coloured_maps(maps: Tensor) -> Tensor:
    """Maps (N, H, W) of such numbers as pictures, uint8 (N, 3, H, W)."""
    return coloured(maps).movedim(0, 1)


def hsv(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """Red, green and blue in 0..255 of numbers in [0, 1]."""
    red, green, blue = hsv_to_rgb(hue, saturation, value)
    return 255 * red, 255 * green, 255 * blue
