"""An autoencoder whose images and codes are each judged by a discriminator.

Rosca, Lakshminarayanan, Warde-Farley, Mohamed 2017, https://arxiv.org/abs/1706.04987
"""

from ganlib.registry import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
