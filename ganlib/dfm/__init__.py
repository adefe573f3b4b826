"""A third network denoises features of real images; the generator's features move where it says.

Warde-Farley, Bengio 2017, https://openreview.net/forum?id=S1X7nhsxl
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
