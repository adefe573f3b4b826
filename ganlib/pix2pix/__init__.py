"""Pictures become pictures of another kind: a conditional GAN on pairs, with the L1 distance.

Isola, Zhu, Zhou, Efros 2017, https://arxiv.org/abs/1611.07004
"""

from ganlib.registry import Algorithm

from .example import negatives
from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater, example=negatives)
