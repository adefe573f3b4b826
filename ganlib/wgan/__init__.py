"""A critic that estimates the Wasserstein distance, kept Lipschitz by clipping its weights.

Arjovsky, Chintala, Bottou 2017, https://arxiv.org/abs/1701.07875
"""

from ganlib.registry import Algorithm

from . import net, updater

SMALL = {"n_dis_long": 7}
ALGORITHM = Algorithm(
    updater.Config, net.build, updater.Updater, unmoved=updater.unmoved, small=SMALL
)
