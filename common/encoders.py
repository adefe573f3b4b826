"""Networks from images to hidden vectors."""

from torch import nn

from ganlib.common.data import Shape
from ganlib.common.init import init_normal
from ganlib.common.layers import BatchNorm2d
from ganlib.common.net import ConvDiscriminator, halvings


class DCGANEncoder(ConvDiscriminator):
    """DCGANGenerator mirrored: one 3x3 convolution, three 4x4 ones that halve the size, one linear
    layer; batch normalisation after all convolutions but the first, leaky ReLU.

    x (N, C, H, W) -> (N, n_out), of no particular range. H and W: multiples of 8.
    """

    def __init__(self, image: Shape, n_out: int, ch: int = 512) -> None:
        channels, height, width = image
        c0, c1, c2, c3 = halvings(ch, 3)
        super().__init__(
            convs=[
                nn.Conv2d(channels, c3, 3, 1, 1),
                nn.Conv2d(c3, c2, 4, 2, 1),
                nn.Conv2d(c2, c1, 4, 2, 1),
                nn.Conv2d(c1, c0, 4, 2, 1),
            ],
            l4=nn.Linear(c0 * (height // 8) * (width // 8), n_out),
            norm=BatchNorm2d,
        )
        init_normal(self, 0.02)
