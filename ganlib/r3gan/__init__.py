"""A relativistic loss with R1 and R2 that needs no tricks, and modern residual networks for it.

Huang, Gokaslan, Kuleshov, Tompkin 2024, https://arxiv.org/abs/2501.05441
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater, unmoved=updater.unmoved)
