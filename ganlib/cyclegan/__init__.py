"""Translation between two sets of images of which no two belong together, there and back.

Zhu, Park, Isola, Efros 2017, https://arxiv.org/abs/1703.10593
"""

import torch
from torch.nn.functional import interpolate

from ganlib.common.data import DataSet
from ganlib.registry import Algorithm

from . import net, updater


def example(channels: int, side: int) -> DataSet:
    """32 smooth images, and 20 of few tones that belong to none."""
    random = torch.Generator().manual_seed(0)
    smooth = torch.rand(32, channels, 4, 4, generator=random)
    tones = torch.rand(20, channels, 4, 4, generator=random).round()
    x = 255 * interpolate(smooth, (side, side), mode="bilinear")
    y = 255 * interpolate(tones, (side, side))
    return DataSet("two sets", x.byte(), source=y.byte())


ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater, example=example)
