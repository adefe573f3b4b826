"""Shows: sources of a size of their own; images four times as large come out of them.

SRGAN: Ledig et al. 2017, https://arxiv.org/abs/1609.04802
"""

import torch
from torch.nn.functional import avg_pool2d, interpolate

from ganlib import Algorithm
from ganlib.common.data import DataSet

from .net import build
from .updater import Config, Updater


def example(channels: int, side: int) -> DataSet:
    """Smooth images, and the means of 4x4 of their pixels."""
    coarse = torch.rand(32, channels, 4, 4, generator=torch.Generator().manual_seed(0))
    x = 255 * interpolate(coarse, (side, side), mode="bilinear")
    return DataSet("superres", x.byte(), source=avg_pool2d(x, 4).byte())


ALGORITHM = Algorithm(config=Config, build=build, updater=Updater, example=example)
