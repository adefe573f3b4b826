"""Large pictures of maps of classes and instances: a coarse generator, then one that enhances it.

Wang, Liu, Zhu, Tao, Kautz, Catanzaro 2018, https://arxiv.org/abs/1711.11585
"""

import torch
from torch.nn.functional import interpolate

from ganlib.common.data import DataSet
from ganlib.registry import Algorithm

from . import config, net, updater

CLASSES = ("sky", "road", "car")


def example(channels: int, side: int) -> DataSet:
    """Sixteen blocks an image, each an instance of a class, which has its grey, more or less."""
    random = torch.Generator().manual_seed(0)
    classes = torch.randint(len(CLASSES), (32, 1, 4, 4), generator=random)
    instances = torch.arange(16).reshape(1, 1, 4, 4).expand(32, 1, 4, 4)
    greys = 60 + 60 * classes + torch.randint(-30, 31, (32, channels, 4, 4), generator=random)
    ids = interpolate(torch.cat([classes, instances], 1).float(), (side, side)).int()
    x = interpolate(greys.float(), (side, side)).to(torch.uint8)
    return DataSet("blocks", x, source=ids, classes=CLASSES, source_kind="ids")


ALGORITHM = Algorithm(
    config.Config,
    net.build,
    updater.Updater,
    example=example,
    small={
        "architecture": "quick",
        "downs": 1,
        "blocks": 1,
        "enhancer_blocks": 1,
        "n_layers": 2,
        "coarse_images": 4,
        "fixed_images": 4,
    },
)
