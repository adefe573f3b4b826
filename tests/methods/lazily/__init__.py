"""Shows: work that not every iteration does, and a schedule of the moving average's decay.

StyleGAN2's lazy regularisation and path length: Karras et al. 2020, https://arxiv.org/abs/1912.04958
"""

from ganlib import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
