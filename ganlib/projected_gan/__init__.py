"""Discriminators of a frozen network's features, mixed at random: few images, and soon.

Sauer, Chitta, Mueller, Geiger 2021, https://arxiv.org/abs/2111.01007
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(
    updater.Config, net.build, updater.Updater, small={"architecture": "quick", "width": 0.25}
)
