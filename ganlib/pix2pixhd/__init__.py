"""Large pictures of maps of classes and instances: a coarse generator, then one that enhances it.

Wang, Liu, Zhu, Tao, Kautz, Catanzaro 2018, https://arxiv.org/abs/1711.11585
"""

from ganlib.registry import Algorithm

from .example import blocks
from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater, example=blocks)
