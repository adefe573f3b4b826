"""Both networks grow: training begins with images of 4 pixels, and larger ones fade in.

Karras, Aila, Laine, Lehtinen 2018, https://arxiv.org/abs/1710.10196
"""

from ganlib.registry import Algorithm

from . import config, net, updater

ALGORITHM = Algorithm(config.Config, net.build, updater.Updater)
