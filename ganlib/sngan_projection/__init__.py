"""A discriminator that takes the inner product of a class's vector and an image's features.

Miyato, Koyama 2018, https://arxiv.org/abs/1802.05637
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
