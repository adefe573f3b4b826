"""The plain loss, with D's slope held near 1 around the real images only.

Kodali, Abernethy, Hays, Kira 2017, https://arxiv.org/abs/1705.07215
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
