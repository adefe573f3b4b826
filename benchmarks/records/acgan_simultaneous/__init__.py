"""acgan, whose D and G step at the same time, each on a core of its own.

Odena, Olah, Shlens 2017, https://arxiv.org/abs/1610.09585
"""

from ganlib.acgan import net
from ganlib.registry import Algorithm

from . import updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
