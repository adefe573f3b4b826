"""A few hundred images: large maps weighted by what small ones say, and a D that draws what it saw.

Liu, Zhu, Song, Elgammal 2021, https://arxiv.org/abs/2101.04775
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(
    updater.Config, net.build, updater.Updater, small={"architecture": "quick", "width": 0.25}
)
