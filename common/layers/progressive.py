"""Progressive GAN's layers: Karras et al. 2018, https://arxiv.org/abs/1710.10196. Weights with an
equalised learning rate (section 4.1), pixelwise normalisation (4.2), minibatch deviation (3).

Equalised weights start from N(0, 1) and are multiplied by He's constant in every pass, so that an
optimizer whose steps do not know the scale of a weight, as Adam's, moves all layers equally fast.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HE = math.sqrt(2)
"""The gain before a ReLU, leaky or not: He et al. 2015."""


class EqualizedConv2d(nn.Conv2d):
    """A convolution of stride 1 by `weight` times gain / sqrt(fan in); biases start from 0."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        padding: int = 0,
        gain: float = HE,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=padding)
        self.scale = gain / math.sqrt(in_channels * kernel_size**2)
        start(self)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H', W')."""
        return F.conv2d(input, self.weight * self.scale, self.bias, padding=self.padding)


class EqualizedLinear(nn.Linear):
    """The same of a linear layer."""

    def __init__(self, in_features: int, out_features: int, gain: float = HE) -> None:
        super().__init__(in_features, out_features)
        self.scale = gain / math.sqrt(in_features)
        start(self)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return F.linear(input, self.weight * self.scale, self.bias)


class EqualizedSeed(nn.ConvTranspose2d):
    """From a vector to the first small image: a linear layer with a bias for each channel.

    The scale is gain / sqrt(in_features * side^2), that of the convolution of side x side which
    padding makes of one pixel, as the papers' code has it.
    """

    def __init__(self, in_features: int, channels: int, side: int, gain: float = HE) -> None:
        super().__init__(in_features, channels, side)
        self.scale = gain / math.sqrt(in_features * side**2)
        start(self)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, in_features) -> (N, channels, side, side)."""
        return F.conv_transpose2d(input[:, :, None, None], self.weight * self.scale, self.bias)


def start(layer: nn.Conv2d | nn.Linear | nn.ConvTranspose2d) -> None:
    """Weights from N(0, 1), biases 0."""
    nn.init.normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def pixel_norm(x: Tensor, eps: float = 1e-8) -> Tensor:
    """x / sqrt(mean of x^2 over the channels + eps): (N, C, ...) -> the same shape.

    A vector (N, C) comes to lie on the sphere of radius sqrt(C).
    """
    # bfloat16 has too few digits for a mean of hundreds of squares
    exact = torch.promote_types(x.dtype, torch.float32)
    power = x.square().mean(1, keepdim=True, dtype=exact)
    return x * (power + eps).rsqrt().to(x.dtype)


def minibatch_deviation(x: Tensor, group: int | None = None, eps: float = 1e-8) -> Tensor:
    """How much the samples of a group differ, as one channel more, (N, C + 1, H, W).

    sqrt(variance + eps) of each value over the group, the mean of it over all values. Of the N / G
    groups of G samples each, sample i belongs to number i mod (N / G). G is the largest divisor of
    N that is no more than `group`; None: the whole batch. With several GPUs, or a batch in several
    passes, N is a share's.
    """
    n, _, height, width = x.shape
    size = next(d for d in range(min(n, group or n), 0, -1) if n % d == 0)
    exact = torch.promote_types(x.dtype, torch.float32)
    by_group = x.to(exact).reshape(size, n // size, *x.shape[1:])
    deviation = (by_group.var(0, correction=0) + eps).sqrt().flatten(1).mean(1)
    channel = deviation.to(x.dtype).repeat(size)[:, None, None, None]
    return torch.cat([x, channel.expand(n, 1, height, width)], 1)
