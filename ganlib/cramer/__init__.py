"""Energy distance between features of real and generated images, its critic held by a penalty.

Bellemare, Danihelka, Dabney, Mohamed, Lakshminarayanan, Hoyer, Munos 2017,
https://arxiv.org/abs/1705.10743
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
