"""Shows: sequences, whose frames lie on the channels; the next frame comes out of three.

Beyond mean square error: Mathieu et al. 2016, https://arxiv.org/abs/1511.05440
"""

import torch
from torch.nn.functional import interpolate

from ganlib import Algorithm
from ganlib.common.data import DataSet

from .net import build
from .updater import Config, Updater


def example(channels: int, side: int) -> DataSet:
    """Smooth images that move by a pixel a frame: three, and the fourth."""
    coarse = torch.rand(32, channels, 4, 4, generator=torch.Generator().manual_seed(0))
    first = (255 * interpolate(coarse, (side, side), mode="bilinear")).byte()
    *before, x = [first.roll(k, 3) for k in range(4)]
    return DataSet("moving", x, source=torch.cat(before, 1), source_frames=3)


ALGORITHM = Algorithm(config=Config, build=build, updater=Updater, example=example)
