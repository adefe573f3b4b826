"""A small classifier of Fashion-MNIST that comes with ganlib; its distance is FD-fashion, no FID.

Colour images are averaged to grey, other sizes are resized to 28x28.
"""

import torch

from ganlib.evaluation.extractors._classifier import Classified, make_classified
from ganlib.evaluation.extractors.base import Options
from ganlib.evaluation.extractors.small import Kind, Layer

FASHION = Kind(
    "fashion",
    "fashion_mnist",
    channels=1,
    side=28,
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    layers=(Layer(32, 5, 2), Layer(64, 3, 1), Layer(64, 3, 2), Layer(128, 3, 1)),
)


def make(device: torch.device, options: Options) -> Classified:
    """The bundled classifier, or another file of the same network."""
    return make_classified(FASHION, device, options)
