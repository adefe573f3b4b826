"""Large networks, large batches, and z and the class in every block, so that samples can be drawn
from the middle of the latent space.

Brock, Donahue, Simonyan 2019, https://arxiv.org/abs/1809.11096
"""

from ganlib.registry import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
