"""Small images become four times as large, with detail that a discriminator takes for a photo's.

Ledig et al. 2017, https://arxiv.org/abs/1609.04802
"""

import torch
from torch.nn.functional import interpolate

from ganlib.common.data import DataSet
from ganlib.common.data.spec import resize_pixels
from ganlib.registry import Algorithm

from . import net, updater


def example(channels: int, side: int) -> DataSet:
    """Smooth images, and the same at a quarter of their resolution. side: a multiple of 4."""
    coarse = torch.rand(32, channels, 4, 4, generator=torch.Generator().manual_seed(0))
    x = (255 * interpolate(coarse, (side, side), mode="bilinear")).byte()
    return DataSet("blobs", x, source=resize_pixels(x, (side // 4, side // 4)))


SMALL = {"blocks": 2, "pretrain_iter": 1}
ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater, example=example, small=SMALL)
