"""A discriminator whose layers have spectral norm 1, by one power iteration per pass.

Miyato, Kataoka, Koyama, Yoshida 2018, https://arxiv.org/abs/1802.05957
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
