"""Semi-supervised: a discriminator that also classifies, and a generator that matches its features.

Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen 2016, https://arxiv.org/abs/1606.03498
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
