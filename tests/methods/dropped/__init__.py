"""Shows: a translator of images without z, whose noise is dropout.

pix2pix: Isola, Zhu, Zhou, Efros 2016, https://arxiv.org/abs/1611.07004
"""

from ganlib import Algorithm

from .net import build
from .updater import Config, Updater, mirrored

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater, example=mirrored)
