"""Shows: a network that does not train, in a loss.

The deep feature consistent VAE: Hou et al. 2017, https://arxiv.org/abs/1610.00291
"""

from ganlib import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
