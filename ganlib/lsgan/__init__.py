"""Least squares in place of cross entropy: fakes far on the right side of D are still pulled in.

Mao, Li, Xie, Lau, Wang, Smolley 2016, https://arxiv.org/abs/1611.04076
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
