"""Energy distance between features of real and generated images, its critic held by a penalty.

Bellemare, Danihelka, Dabney, Mohamed, Lakshminarayanan, Hoyer, Munos 2017,
https://arxiv.org/abs/1705.10743
"""

from ganlib.registry import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
