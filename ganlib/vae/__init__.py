"""Encoder and decoder ascend a lower bound of log p(x) together: no discriminator, a baseline.

Kingma, Welling 2013, https://arxiv.org/abs/1312.6114
"""

from ganlib.registry import Algorithm

from . import config, net, updater

ALGORITHM = Algorithm(config.Config, net.build, updater.Updater)
