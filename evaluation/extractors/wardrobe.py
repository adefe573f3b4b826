"""A small classifier of canvases of clothes that comes with ganlib; FD-wardrobe is no FID.

It tells which of Fashion-MNIST's clothes covers most of a canvas. Grey images get three equal
channels, other sizes are resized to 64x64.
"""

from functools import partial

from ganlib.evaluation.extractors.fashion import FASHION
from ganlib.evaluation.extractors.small import Kind, Layer, make_classified

WARDROBE = Kind(
    "wardrobe",
    "wardrobe",
    channels=3,
    side=64,
    classes=FASHION.classes,
    layers=(Layer(24, 5, 2), Layer(48, 3, 2), Layer(96, 3, 2), Layer(128, 3, 1)),
)

make = partial(make_classified, WARDROBE)
"""See extractors/base.py."""
