"""A small classifier of canvases of clothes that comes with ganlib; FD-wardrobe is no FID.

It tells which of Fashion-MNIST's clothes covers most of a canvas. Grey images get three equal
channels, other sizes are resized to 64x64.
"""

import torch

from ganlib.evaluation.extractors._classifier import Classified, make_classified
from ganlib.evaluation.extractors.base import Options
from ganlib.evaluation.extractors.fashion import FASHION
from ganlib.evaluation.extractors.small import Kind, Layer

WARDROBE = Kind(
    "wardrobe",
    "wardrobe",
    channels=3,
    side=64,
    classes=FASHION.classes,
    layers=(Layer(24, 5, 2), Layer(48, 3, 2), Layer(96, 3, 2), Layer(128, 3, 1)),
)


def make(device: torch.device, options: Options) -> Classified:
    """The bundled classifier, or another file of the same network."""
    return make_classified(WARDROBE, device, options)
