"""Wasserstein critic whose gradient norm is held near 1 by a penalty between real and fake.

Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, https://arxiv.org/abs/1704.00028
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater, unmoved=updater.unmoved)
