"""A critic that estimates the Wasserstein distance, kept Lipschitz by clipping its weights.

Arjovsky, Chintala, Bottou 2017, https://arxiv.org/abs/1701.07875
"""

from ganlib.registry import Algorithm

from .net import build
from .updater import Config, Updater, unmoved

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater, unmoved=unmoved)
