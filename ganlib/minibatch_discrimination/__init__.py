"""A discriminator that sees how like each other the samples of a batch are, against collapse.

Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen 2016, https://arxiv.org/abs/1606.03498
"""

from ganlib.registry import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
