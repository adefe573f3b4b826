"""An autoencoder whose images and codes are each judged by a discriminator.

Rosca, Lakshminarayanan, Warde-Farley, Mohamed 2017, https://arxiv.org/abs/1706.04987
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
