"""A discriminator that also tells the classes of real and of generated images.

Odena, Olah, Shlens 2017, https://arxiv.org/abs/1610.09585
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
