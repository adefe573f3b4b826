"""A discriminator that sees how like each other the samples of a batch are, against collapse.

Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen 2016, https://arxiv.org/abs/1606.03498
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
