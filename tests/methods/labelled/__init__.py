"""Shows: both networks are told of classes.

The conditional GAN: Mirza, Osindero 2014, https://arxiv.org/abs/1411.1784
"""

from ganlib import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
