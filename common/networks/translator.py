"""Residual translators: convolutions that halve, residual blocks, convolutions that double.

Johnson et al. 2016, as CycleGAN has them: Zhu et al. 2017, section 7.2; norms are of each image
alone.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

Upsampling = Literal["transposed", "nearest"]
"""How sides are doubled: transposed: by a transposed convolution, the papers'; nearest: every pixel
four times, then a convolution, which leaves no checkerboard on even surfaces (Odena et al. 2016,
https://distill.pub/2016/deconv-checkerboard). Both have the same parameters."""
LEAVING = {"cuda"}
"""Types of devices where PyTorch's own kernels for the two layers below leave channels_last, which
costs copies on both sides, and that of the padding's gradient is not deterministic."""


class InstanceNorm(nn.InstanceNorm2d):
    """Of each image alone, in sampling too: without running statistics, gain or bias."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, in the same memory format; moments in float32 at least."""
        if input.device.type not in LEAVING:
            return super().forward(input)
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        var, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        scale = (var + self.eps).rsqrt()
        return torch.addcmul(-mean * scale, x, scale).to(input.dtype)


class ReflectionPad(nn.ReflectionPad2d):
    """Equal padding on all sides."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H + 2 padding, W + 2 padding), in the same memory format."""
        if input.device.type not in LEAVING:
            return super().forward(input)
        p = self.padding[0]
        for axis in (2, 3):
            before, after = input.narrow(axis, 1, p), input.narrow(axis, -1 - p, p)
            input = torch.cat((before.flip(axis), input, after.flip(axis)), axis)
        return input


def conv(n_in: int, n_out: int, side: int) -> list[nn.Module]:
    """A convolution that keeps the size, by reflection at the edges, and its norm."""
    return [ReflectionPad(side // 2), nn.Conv2d(n_in, n_out, side), InstanceNorm(n_out)]


def first(n_in: int, ch: int) -> nn.Sequential:
    """c7s1: (N, n_in, H, W) -> (N, ch, H, W)."""
    return nn.Sequential(*conv(n_in, ch, 7), nn.ReLU())


def halving(n_in: int, n_out: int) -> nn.Sequential:
    """(N, n_in, 2 H, 2 W) -> (N, n_out, H, W)."""
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, 2, 1), InstanceNorm(n_out), nn.ReLU())


def doubling(n_in: int, n_out: int, upsampling: Upsampling) -> nn.Sequential:
    """(N, n_in, H, W) -> (N, n_out, 2 H, 2 W): what `upsampling` says, a norm and ReLU."""
    if upsampling == "nearest":
        return nn.Sequential(nn.Upsample(scale_factor=2), *conv(n_in, n_out, 3), nn.ReLU())
    deconv = nn.ConvTranspose2d(n_in, n_out, 3, 2, 1, output_padding=1)
    return nn.Sequential(deconv, InstanceNorm(n_out), nn.ReLU())


class Block(nn.Module):
    """x + f(x), without a ReLU behind the sum."""

    def __init__(self, ch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*conv(ch, ch, 3), nn.ReLU(), *conv(ch, ch, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, ch, H, W) -> the same."""
        return x + self.layers(x)


def to_image(ch: int, n_out: int) -> nn.Sequential:
    """c7s1 without a norm: (N, ch, H, W) -> (N, n_out, H, W) in [-1, 1]."""
    return nn.Sequential(ReflectionPad(3), nn.Conv2d(ch, n_out, 7), nn.Tanh())


def translating(
    n_in: int, ch: int, downs: int, blocks: int, upsampling: Upsampling
) -> list[nn.Module]:
    """All layers but to_image(): (N, n_in, H, W) -> (N, ch, H, W), by way of 2^downs ch channels
    at a 2^downs-th of both sides.
    """
    widths = [ch << k for k in range(downs + 1)]
    pairs = list(pairwise(widths))
    return [
        first(n_in, ch),
        *(halving(a, b) for a, b in pairs),
        *(Block(widths[-1]) for _ in range(blocks)),
        *(doubling(b, a, upsampling) for a, b in reversed(pairs)),
    ]
