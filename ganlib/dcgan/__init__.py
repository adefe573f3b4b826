"""Convolutional networks with batch normalisation, non-saturating loss: the baseline.

Radford, Metz, Chintala 2015, https://arxiv.org/abs/1511.06434
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
