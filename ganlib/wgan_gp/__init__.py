"""Wasserstein critic whose gradient norm is held near 1 by a penalty between real and fake.

Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, https://arxiv.org/abs/1704.00028
"""

from ganlib.registry import Algorithm

from .net import build
from .updater import Config, Updater, unmoved

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater, unmoved=unmoved)
