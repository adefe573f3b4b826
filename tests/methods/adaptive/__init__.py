"""Shows: D's images are augmented as often as what it thinks of real images asks for.

Adaptive discriminator augmentation: Karras et al. 2020, https://arxiv.org/abs/2006.06676
"""

from ganlib.lazily.net import build

from ganlib import Algorithm

from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
