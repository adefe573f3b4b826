"""Shows: stages, in which images and networks grow and batches shrink.

Progressive growing: Karras et al. 2018, https://arxiv.org/abs/1710.10196
"""

from ganlib import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
