"""A small classifier of Fashion-MNIST that comes with ganlib; its distance is FD-fashion, no FID.

Colour images are averaged to grey, other sizes are resized to 28x28.
"""

from functools import partial

from ganlib.evaluation.extractors.small import Kind, Layer, make_classified

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

make = partial(make_classified, FASHION)
"""See extractors/base.py."""
