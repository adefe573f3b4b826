"""Pictures become pictures of another kind: a conditional GAN on pairs, with the L1 distance.

Isola, Zhu, Zhou, Efros 2017, https://arxiv.org/abs/1611.07004
"""

import torch

from ganlib.common.data import DataSet
from ganlib.registry import Algorithm

from . import net, updater


def example(channels: int, side: int) -> DataSet:
    """Pairs of noise and its negative."""
    random = torch.Generator().manual_seed(0)
    x = torch.randint(256, (32, channels, side, side), dtype=torch.uint8, generator=random)
    return DataSet("negatives", x, source=255 - x)


ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater, example=example)
