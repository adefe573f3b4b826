"""Shows: state that all shares of a batch keep alike, a pool of images.

A history of generated images: Shrivastava et al. 2017, https://arxiv.org/abs/1612.07828
"""

from ganlib.lazily.net import build

from ganlib import Algorithm

from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
