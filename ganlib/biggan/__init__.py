"""Large networks, large batches, z and the class in every block: samples may be truncated.

Brock, Donahue, Simonyan 2019, https://arxiv.org/abs/1809.11096
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
