"""Maps of numbers, of classes for example, as pictures."""

import torch
from torch import Tensor

from ganlib.common.hsv import hsv

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
