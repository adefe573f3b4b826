"""Shows: two sets of images of which no two belong together, and a network that goes back.

CycleGAN, one of its two directions: Zhu et al. 2017, https://arxiv.org/abs/1703.10593
"""

import torch
from torch.nn.functional import interpolate

from ganlib import Algorithm
from ganlib.common.data import DataSet

from .net import build
from .updater import Config, Updater


def example(channels: int, side: int) -> DataSet:
    """32 smooth images, and 20 grey ones of few tones."""
    random = torch.Generator().manual_seed(0)
    smooth = interpolate(torch.rand(32, channels, 4, 4, generator=random), (side, side))
    tones = interpolate(torch.rand(20, 1, 4, 4, generator=random).round(), (side, side))
    return DataSet("two sets", (255 * smooth).byte(), source=(255 * tones).byte())


ALGORITHM = Algorithm(config=Config, build=build, updater=Updater, example=example)
