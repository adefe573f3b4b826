"""Shows: a generator with codes between its latents and its images, and noise inside.

StyleGAN: Karras, Laine, Aila 2018, https://arxiv.org/abs/1812.04948
"""

from ganlib import Algorithm

from .net import build
from .updater import Config, Updater

ALGORITHM = Algorithm(config=Config, build=build, updater=Updater)
