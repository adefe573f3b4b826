"""The discriminator is an autoencoder; control theory balances its errors on real and fake images.

Berthelot, Schumm, Metz 2017, https://arxiv.org/abs/1703.10717
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
