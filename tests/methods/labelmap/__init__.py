"""Shows: sources that are numbers of classes and instances, which the networks make pictures of.

pix2pixHD: Wang et al. 2018, https://arxiv.org/abs/1711.11585
"""

import torch
from torch.nn.functional import interpolate

from ganlib import Algorithm
from ganlib.common.data import DataSet

from .net import build
from .updater import Config, Updater


def example(channels: int, side: int) -> DataSet:
    """Sixteen blocks an image, each an instance of one of three classes, which has its grey."""
    classes = torch.randint(3, (32, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    instances = torch.arange(16).reshape(1, 1, 4, 4).expand(32, 1, 4, 4)
    ids = interpolate(torch.cat([classes, instances], 1).float(), (side, side)).int()
    x = (60 + 60 * ids[:, :1]).expand(-1, channels, -1, -1).to(torch.uint8)
    return DataSet("blocks", x, source=ids, classes=("sky", "road", "car"), source_kind="ids")


ALGORITHM = Algorithm(config=Config, build=build, updater=Updater, example=example)
