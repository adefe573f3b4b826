"""Large networks, large batches, and z and the class in every block, so that samples can be drawn
from the middle of the latent space.

Brock, Donahue, Simonyan 2019, https://arxiv.org/abs/1809.11096
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
