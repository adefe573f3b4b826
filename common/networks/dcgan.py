"""Plain convolutional networks, DCGAN's and others', that several algorithms share."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ganlib.common.data import Shape
from ganlib.common.generator import Generator, Latent, halvings
from ganlib.common.layers import LEAK, BatchNorm1d, BatchNorm2d, BiasBatchNorm2d, Factory
from ganlib.common.layers.init import init_normal
from ganlib.common.layers.reparametrized import Conv2d, ConvTranspose2d
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear

# --- Plain convolutional networks


class ConvGenerator(Generator):
    """Layer l0 from z to a small image, then convolutions that enlarge it, the last one to tanh.

    l0: (N, n_hidden) -> (N, ch, h, w). Every convolution but the last is followed by `norm` and
    ReLU.
    """

    def __init__(
        self,
        n_hidden: int,
        latent: Latent,
        l0: nn.Module,
        convs: Sequence[nn.Conv2d | nn.ConvTranspose2d],
        norm: Factory = BatchNorm2d,
    ) -> None:
        super().__init__(n_hidden, latent)
        *inner, last = convs
        self.l0 = l0
        self.layers = nn.Sequential(
            *(nn.Sequential(conv, norm(conv.out_channels), nn.ReLU()) for conv in inner), last
        )

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) -> images (N, C, H, W) in [-1, 1]; y is not used."""
        return torch.tanh(self.layers(self.l0(z)))


def dense_relu(
    n_hidden: int,
    bottom: Shape,
    norm: Factory = BatchNorm1d,
    bias: bool = True,
    linear: Factory = nn.Linear,
) -> nn.Sequential:
    """The first layer of most generators: (N, n_hidden) -> ReLU(norm(linear)) as (N, *bottom).

    The norm comes before the reshape: it has its statistics per element and not per channel.
    """
    n = math.prod(bottom)
    return nn.Sequential(
        linear(n_hidden, n, bias=bias), norm(n), nn.ReLU(), nn.Unflatten(1, bottom)
    )


def deconv_relu(n_hidden: int, bottom: Shape, norm: Factory = BatchNorm2d) -> nn.Sequential:
    """(N, n_hidden) -> ReLU(norm(deconvolution of one pixel)), (N, *bottom); norm per channel."""
    ch, height, width = bottom
    return nn.Sequential(
        nn.Unflatten(1, (n_hidden, 1, 1)),
        ConvTranspose2d(n_hidden, ch, (height, width), bias=False),
        norm(ch),
        nn.ReLU(),
    )


class DCGANGenerator(ConvGenerator):
    """l0, dc1 to dc4 of chainer-gan-lib common/net.py; H and W: multiples of 8.

    `l0_norm` normalises l0 per element, `norm` the convolutions per channel.
    """

    def __init__(
        self,
        image: Shape,
        n_hidden: int = 128,
        ch: int = 512,
        latent: Latent = "uniform",
        l0_norm: Factory = BatchNorm1d,
        norm: Factory = BatchNorm2d,
        std: float = 0.02,
    ) -> None:
        (channels, height, width), widths = image, halvings(ch, 3)
        l0 = dense_relu(n_hidden, (widths[0], height // 8, width // 8), l0_norm)
        convs = [ConvTranspose2d(i, o, 4, 2, 1) for i, o in pairwise(widths)]
        last = ConvTranspose2d(widths[-1], channels, 3, 1, 1)
        super().__init__(n_hidden, latent, l0, [*convs, last], norm)
        init_normal(self, std)


class StridedGenerator(ConvGenerator):
    """One transposed convolution per doubling of the size: DCGAN (Radford et al. 2015), figure 1.

    widths: channels from the smallest image on; H and W: multiples of 2 ** len(widths). l0 is
    made from n_hidden and the shape of the smallest image, conv from its channels in and out.
    """

    def __init__(
        self,
        image: Shape,
        n_hidden: int,
        latent: Latent,
        widths: Sequence[int],
        l0: Callable[[int, Shape], nn.Module],
        conv: Callable[[int, int], nn.ConvTranspose2d],
        norm: Factory = BatchNorm2d,
    ) -> None:
        channels, height, width = image
        n = len(widths)
        bottom = (widths[0], height >> n, width >> n)
        convs = [conv(i, o) for i, o in pairwise([*widths, channels])]
        super().__init__(n_hidden, latent, l0(n_hidden, bottom), convs, norm)


class ConvDiscriminator(nn.Module):
    """Convolutions, then one linear layer l4 of all that is left of the image.

    Every convolution is followed by `norm`, except the first (DCGAN, section 3: it makes the
    model unstable), and by a leaky ReLU.
    """

    features: nn.Sequential
    l4: Any

    def __init__(
        self,
        convs: Sequence[nn.Conv2d],
        l4: nn.Module,
        norm: Factory = nn.Identity,
        leak: float = LEAK,
    ) -> None:
        super().__init__()
        first, *others = convs
        self.features = nn.Sequential(
            nn.Sequential(first, nn.LeakyReLU(leak)),
            *(nn.Sequential(conv, norm(conv.out_channels), nn.LeakyReLU(leak)) for conv in others),
            nn.Flatten(),
        )
        self.l4 = l4

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (N, C, H, W) -> logits (N, n_out); y is not used."""
        return self.l4(self.features(x))


class StridedDiscriminator(ConvDiscriminator):
    """One convolution per halving of the size: DCGAN (Radford et al. 2015), section 3.

    widths: channels from the largest image on; H and W: multiples of 2 ** len(widths).
    """

    def __init__(
        self,
        image: Shape,
        widths: Sequence[int],
        conv: Callable[[int, int], nn.Conv2d],
        linear: Factory = nn.Linear,
        norm: Factory = nn.Identity,
    ) -> None:
        channels, height, width = image
        n = len(widths)
        convs = [conv(i, o) for i, o in pairwise([channels, *widths])]
        super().__init__(convs, linear(widths[-1] * (height >> n) * (width >> n), 1), norm)


class StandardDiscriminator(ConvDiscriminator):
    """SNGAN's "standard CNN" (Miyato et al. 2018, table 3), chainer-gan-lib's c0_0 to c3_0 and l4.

    widths: the output channels of its seven convolutions. H and W: multiples of 8.
    """

    def __init__(
        self,
        image: Shape,
        widths: Sequence[int],
        n_out: int = 1,
        conv: Callable[..., nn.Conv2d] = Conv2d,
        linear: Factory = nn.Linear,
        norm: Factory = nn.Identity,
        leak: float = LEAK,
        std: float = 0.02,
    ) -> None:
        channels, height, width = image
        convs = [  # every other one halves the size
            conv(i, o, 3 + k % 2, 1 + k % 2, 1)
            for k, (i, o) in enumerate(pairwise([channels, *widths]))
        ]
        l4 = linear(widths[-1] * (height // 8) * (width // 8), n_out)
        super().__init__(convs, l4, norm, leak)
        init_normal(self, std)


def unnormalized_std(ch: int) -> float:
    """Standard deviation of the weights of networks without normalisation whose widest layer has
    `ch` channels: chainer-gan-lib's 0.02 from its 512 on, 0.02 sqrt(512 / ch) below.

    A layer of an eighth of the channels sums an eighth of the terms, and nothing brings its output
    back to size: at 0.02 nine of them would pass on 8^-4.5, a ten-thousandth, of what
    chainer-gan-lib's do, of images as of gradients, and would not learn.
    """
    return 0.02 * math.sqrt(512 / min(ch, 512))


def _widths(ch: int) -> list[int]:
    """Output channels of chainer-gan-lib's seven convolutions: the strided ones double them."""
    c0, c1, c2, c3 = halvings(ch, 3)
    return [c3, c2, c2, c1, c1, c0, c0]


class DCGANDiscriminator(StandardDiscriminator):
    """With bias-only batch normalisation: chainer-gan-lib common/net.py."""

    def __init__(self, image: Shape, ch: int = 512) -> None:
        super().__init__(image, _widths(ch), norm=BiasBatchNorm2d)


class WGANDiscriminator(StandardDiscriminator):
    """Without normalisation, as a gradient penalty needs it: chainer-gan-lib common/net.py.

    Narrower ones start with larger weights: unnormalized_std.
    """

    def __init__(self, image: Shape, ch: int = 512, n_out: int = 1) -> None:
        super().__init__(image, _widths(ch), n_out, std=unnormalized_std(ch))


class SNDCGANDiscriminator(StandardDiscriminator):
    """With spectral normalisation of every layer: chainer-gan-lib common/net.py."""

    def __init__(self, image: Shape, ch: int = 512) -> None:
        super().__init__(image, _widths(ch), conv=SNConv2d, linear=SNLinear)


class DCGANEncoder(ConvDiscriminator):
    """DCGANGenerator mirrored: one 3x3 convolution, three 4x4 ones that halve the size, one linear
    layer; batch normalisation after all convolutions but the first, leaky ReLU.

    x (N, C, H, W) -> (N, n_out), of no particular range. H and W: multiples of 8.
    """

    def __init__(self, image: Shape, n_out: int, ch: int = 512) -> None:
        (channels, height, width), widths = image, halvings(ch, 3)[::-1]
        first = Conv2d(channels, widths[0], 3, 1, 1)
        convs = [Conv2d(i, o, 4, 2, 1) for i, o in pairwise(widths)]
        l4 = nn.Linear(widths[-1] * (height // 8) * (width // 8), n_out)
        super().__init__([first, *convs], l4, BatchNorm2d)
        init_normal(self, 0.02)
