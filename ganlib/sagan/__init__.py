"""Both networks look at all of the image at once: self-attention, and spectral norm in both.

Zhang, Goodfellow, Metaxas, Odena 2019, https://arxiv.org/abs/1805.08318
"""

from ganlib.registry import Algorithm

from . import net, updater

ALGORITHM = Algorithm(updater.Config, net.build, updater.Updater)
