"""The first with labels: both networks are told the class.

Mirza, Osindero 2014, https://arxiv.org/abs/1411.1784
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
