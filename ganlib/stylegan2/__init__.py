"""Styles that a mapping network makes of z scale the channels of each convolution; R1 and path
lengths are held only now and then.

Karras, Laine, Aittala, Hellsten, Lehtinen, Aila 2020, https://arxiv.org/abs/1912.04958
"""

from ganlib.registry import Algorithm

from . import config, net, updater

ALGORITHM = Algorithm(
    config.Config, net.build, updater.Updater, small={"architecture": "quick", "width": 0.25}
)
