"""What the method is tested and measured on where there are no files."""

import torch

from ganlib.common.data import DataSet


def negatives(channels: int, side: int) -> DataSet:
    """Pairs of noise and its negative."""
    random = torch.Generator().manual_seed(0)
    x = torch.randint(256, (32, channels, side, side), dtype=torch.uint8, generator=random)
    return DataSet("negatives", x, source=255 - x)
