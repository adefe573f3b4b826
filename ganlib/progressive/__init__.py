"""Both networks grow: training begins with images of 4 pixels, and larger ones fade in.

Karras, Aila, Laine, Lehtinen 2018, https://arxiv.org/abs/1710.10196
"""

from ganlib.registry import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
