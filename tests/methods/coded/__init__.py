"""Shows: a z of several parts, pictures that vary one of them, a rate for each network.

InfoGAN: Chen, Duan, Houthooft, Schulman, Sutskever, Abbeel 2016, https://arxiv.org/abs/1606.03657
"""

from ganlib import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
