"""Least squares in place of cross entropy: fakes far on the right side of D are still pulled in.

Mao, Li, Xie, Lau, Wang, Smolley 2016, https://arxiv.org/abs/1611.04076
"""

from ganlib.registry import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
