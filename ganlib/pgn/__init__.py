"""The next frame of a sequence: a code of the past ones by an LSTM, and an adversarial loss.

Lotter, Kreiman, Cox 2015, https://arxiv.org/abs/1511.06380
"""

import torch
from torch.nn.functional import interpolate

from ganlib.common.data import DataSet
from ganlib.registry import Algorithm

from . import config, net, updater


def example(channels: int, side: int) -> DataSet:
    """Smooth images that move by two pixels a frame: three, and the fourth."""
    coarse = torch.rand(32, channels, 4, 4, generator=torch.Generator().manual_seed(0))
    first = (255 * interpolate(coarse, (side, side), mode="bilinear")).byte()
    *past, x = [first.roll(2 * k, 3) for k in range(4)]
    return DataSet("sliding", x, source=torch.cat(past, 1), source_frames=3)


ALGORITHM = Algorithm(config.Config, net.build, updater.Updater, example=example)
