"""The networks of Salimans et al. 2016 for CIFAR-10, as in openai/improved-gan."""

from functools import partial

from torch import Tensor, nn

from ganlib.common.data import Shape
from ganlib.common.generator import halvings
from ganlib.common.layers import LEAK, BiasBatchNorm1d, BiasBatchNorm2d
from ganlib.common.layers.init import init_normal
from ganlib.common.layers.weight_norm import WNConv2d, WNConvTranspose2d
from ganlib.common.networks.dcgan import ConvGenerator, dense_relu
from ganlib.common.networks.resnet import global_mean

EPS = 1e-6  # of batch normalisation
LAST_STD = 0.1
"""With what standard deviation the outputs of the last layer of each network start."""


class SalimansGenerator(ConvGenerator):
    """Linear, then 5x5 transposed convolutions of stride 2, the last one weight-normalised.

    H and W: multiples of 8. Source: mnist_svhn_cifar10/train_cifar_feature_matching.py. z is
    U(-1, 1)^100 and not U(0, 1)^100: the first batch normalisation undoes the difference.
    """

    def __init__(self, image: Shape, ch: int = 512) -> None:
        channels, height, width = image
        c0, c1, c2 = halvings(ch, 2)
        sizes = (5, 2, 2, 1)  # kernel, stride, padding, more padding of the output
        super().__init__(
            100,
            "uniform",
            l0=dense_relu(
                100, (c0, height // 8, width // 8), partial(BiasBatchNorm1d, eps=EPS), bias=False
            ),
            convs=[
                nn.ConvTranspose2d(c0, c1, *sizes, bias=False),
                nn.ConvTranspose2d(c1, c2, *sizes, bias=False),
                WNConvTranspose2d(c2, channels, *sizes, train_gain=True, init_std=LAST_STD),
            ],
            norm=partial(BiasBatchNorm2d, eps=EPS),
        )
        init_normal(self, 0.05)


class SalimansDiscriminator(nn.Module):
    """Nine weight-normalised convolutions of `ch` and 2 * ch channels, a mean over the image, l4.

    noise: the first layer, of the image; last: l4, from the 2 * ch features to the output. H and
    W: at least 9. Source: as the generator's, train_cifar_*.py.
    """

    def __init__(self, image: Shape, noise: nn.Module, last: nn.Module, ch: int = 96) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            noise,
            _conv(image[0], ch, 3, padding=1),
            _conv(ch, ch, 3, padding=1),
            _conv(ch, ch, 3, stride=2, padding=1),
            nn.Dropout(0.5),
            _conv(ch, 2 * ch, 3, padding=1),
            _conv(2 * ch, 2 * ch, 3, padding=1),
            _conv(2 * ch, 2 * ch, 3, stride=2, padding=1),
            nn.Dropout(0.5),
            _conv(2 * ch, 2 * ch, 3),
            _conv(2 * ch, 2 * ch, 1),
            _conv(2 * ch, 2 * ch, 1),
        )
        self.l4 = last
        init_normal(self, 0.05)

    def features(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) -> what l4 sees (N, 2 * ch)."""
        return global_mean(self.convs(x))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) -> what l4 makes of the features; y is not used."""
        return self.l4(self.features(x))


def _conv(n_in: int, n_out: int, side: int, stride: int = 1, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(WNConv2d(n_in, n_out, side, stride, padding), nn.LeakyReLU(LEAK))
