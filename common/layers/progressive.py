"""Progressive GAN's layers: Karras et al. 2018, https://arxiv.org/abs/1710.10196. Weights with an
equalised learning rate (section 4.1), pixelwise normalisation (4.2), minibatch deviation (3).

Equalised weights start from N(0, 1) and are multiplied by He's constant in every pass, so that an
optimizer whose steps do not know the scale of a weight, as Adam's, moves all layers equally fast.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HE = math.sqrt(2)
"""The gain before a ReLU, leaky or not: He et al. 2015."""


class _Equalized(nn.Module):
    """What these layers share: weights from N(0, 1), biases from 0, and `scale`, which is
    gain / sqrt(fan in). The other arguments are those of PyTorch's layer.
    """

    weight: Tensor
    bias: Any  # a Tensor; nn.Linear and nn.Conv2d declare it in two ways
    axis = 0  # of the weight, that counts outputs

    def __init__(self, *args: Any, gain: float = HE, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scale = gain / math.sqrt(self.weight.select(self.axis, 0).numel())
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.bias)


class EqualizedConv2d(_Equalized, nn.Conv2d):
    """A convolution of stride 1 by `weight` times `scale`."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H', W')."""
        return F.conv2d(input, self.weight * self.scale, self.bias, padding=self.padding)


class EqualizedLinear(_Equalized, nn.Linear):
    """The same of a linear layer."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return F.linear(input, self.weight * self.scale, self.bias)


class EqualizedSeed(_Equalized, nn.ConvTranspose2d):
    """From a vector to the first small image: a linear layer with a bias for each channel.

    The scale is gain / sqrt(in_channels * side^2), that of the convolution of side x side which
    padding makes of one pixel, as the papers' code has it.
    """

    axis = 1

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, in_channels) -> (N, out_channels, side, side)."""
        return F.conv_transpose2d(input[:, :, None, None], self.weight * self.scale, self.bias)


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
    size = _largest_divisor(n, group or n)
    exact = torch.promote_types(x.dtype, torch.float32)
    by_group = x.to(exact).reshape(size, n // size, *x.shape[1:])
    deviation = (by_group.var(0, correction=0) + eps).sqrt().flatten(1).mean(1)
    channel = deviation.to(x.dtype).repeat(size)[:, None, None, None]
    return torch.cat([x, channel.expand(n, 1, height, width)], 1)


def _largest_divisor(n: int, most: int) -> int:
    return next(d for d in range(min(n, most), 0, -1) if n % d == 0)
