"""The first with labels: both networks are told the class.

Mirza, Osindero 2014, https://arxiv.org/abs/1411.1784
"""

from ganlib.registry import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
