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

from ganlib.common.layers import reparametrized

HE = math.sqrt(2)
"""The gain before a ReLU, leaky or not: He et al. 2015."""


class Equalized(reparametrized.Layer):
    """What these layers share: weights from N(0, 1), times gain / sqrt(fan in) in every pass, and
    biases from 0. The arguments are `gain` and those of PyTorch's layer, of which only sizes have a
    place: TypeError for others without a name.
    """

    bias: Any  # a Tensor; nn.Linear and nn.Conv2d declare it in two ways

    def __init__(self, *args: Any, gain: float = HE, **kwargs: Any) -> None:
        if len(args) > (2 if isinstance(self, nn.Linear) else 3):
            raise TypeError(f"{type(self).__name__} takes padding and gain by keyword alone")
        super().__init__(*args, **kwargs)
        self.scale = gain / math.sqrt(self.weight.numel() // self.weight.shape[self.axis])
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def effective_weight(self) -> Tensor:
        """The weight, scaled."""
        return self.weight * self.scale


class EqualizedConv2d(Equalized, reparametrized.Conv2d):
    """A convolution."""


class EqualizedLinear(Equalized, reparametrized.Linear):
    """A linear layer."""


class EqualizedSeed(Equalized, reparametrized.ConvTranspose2d):
    """From a vector to the first small image, of in_features, channels, side: a linear layer with a
    bias for each channel.

    The scale is gain / sqrt(in_features * side^2), that of the convolution of side x side which
    padding makes of one pixel, as the papers' code has it.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, in_features) -> (N, channels, side, side)."""
        rows = self.effective_weight().permute(0, 2, 3, 1)  # as channels_last has it: no copy
        _, height, width, _ = rows.shape
        h = F.linear(input, rows.flatten(1).mT, self.bias.repeat(height * width))
        return h.view(-1, *rows.shape[1:]).permute(0, 3, 1, 2)  # no number of Python's, for ONNX


def pixel_norm(x: Tensor) -> Tensor:
    """x / sqrt(mean of x^2 over the channels + 1e-8): (N, C, ...) -> the same shape.

    A vector (N, C) comes to lie on the sphere of radius sqrt(C).
    """
    # bfloat16 has too few digits for a mean of hundreds of squares
    exact = torch.promote_types(x.dtype, torch.float32)
    power = x.square().mean(1, keepdim=True, dtype=exact)
    return x * (power + 1e-8).rsqrt().to(x.dtype)


def minibatch_deviation(x: Tensor, group: int | None = None) -> Tensor:
    """How much the samples of a group differ, as one channel more, (N, C + 1, H, W).

    sqrt(variance + 1e-8) of each value over the group, the mean of it over all values. Of the N / G
    groups of G samples each, sample i belongs to number i mod (N / G). G is the largest divisor of
    N that is no more than `group`; None: the whole batch. With several GPUs and without --sync-bn,
    or a batch in several passes, N is a share's.
    """
    n, _, height, width = x.shape
    size = next(d for d in range(min(n, group or n), 0, -1) if n % d == 0)
    exact = torch.promote_types(x.dtype, torch.float32)
    by_group = x.to(exact).reshape(size, n // size, *x.shape[1:])
    deviation = (by_group.var(0, correction=0) + 1e-8).sqrt().flatten(1).mean(1)
    channel = deviation.to(x.dtype).repeat(size)[:, None, None, None]
    return torch.cat([x, channel.expand(n, 1, height, width)], 1)


class MinibatchDeviation(nn.Module):
    """minibatch_deviation() as a layer."""

    of_the_batch = True

    def __init__(self, group: int | None) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + 1, H, W)."""
        return minibatch_deviation(x, self.group)
