"""PyTorch's layers, computing with a weight that is made of their parameter in every pass."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Layer(nn.Module):
    """What they share; `axis` of the weight counts outputs."""

    weight: Tensor
    axis = 0

    def effective_weight(self) -> Tensor:
        """The weight to compute with, of the shape of `weight`: here that itself."""
        return self.weight


class Conv2d(Layer, nn.Conv2d):
    """A convolution."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H', W')."""
        return self._conv_forward(input, self.effective_weight(), self.bias)


class ConvTranspose2d(Layer, nn.ConvTranspose2d):
    """A transposed convolution."""

    axis = 1

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H', W')."""
        weight, padding = self.effective_weight(), self.padding
        assert not isinstance(padding, str)  # nn.Conv2d alone knows words for it
        return F.conv_transpose2d(
            input, weight, self.bias, self.stride, padding, self.output_padding
        )


class Linear(Layer, nn.Linear):
    """A linear layer."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return F.linear(input, self.effective_weight(), self.bias)


def weight_of(conv: Any) -> Tensor | None:
    """What a convolution multiplies zero-padded images by, if it does nothing else but to add its
    bias; None for one with a forward pass, hooks, groups or a padding of its own.
    """
    if type(conv).forward not in (nn.Conv2d.forward, Conv2d.forward):
        return None
    if conv._forward_pre_hooks or conv._forward_hooks:
        return None
    if conv.padding_mode != "zeros" or conv.groups > 1:
        return None
    weight: Tensor = conv.effective_weight() if isinstance(conv, Layer) else conv.weight
    return weight


# --- 3x3 convolutions, of padding 1, before a mean pool or behind nearest-neighbour upsampling
#
# The pool and the convolution together are one convolution with stride, of a weight a little larger
# that holds the means of the small one's neighbours; the upsampling one is the transpose of such.
# A factor of 2 leaves 16 multiplications where there were 36, and no image of the larger size.


def conv_downsample(conv: Any, x: Tensor, factor: int) -> Tensor:
    """avg_pool2d(conv(x), factor), (N, C_in, H, W) -> (N, C_out, H / factor, W / factor)."""
    weight = None if factor == 1 else weight_of(conv)
    if weight is None:
        y: Tensor = conv(x)
        return F.avg_pool2d(y, factor) if factor > 1 else y
    return F.conv2d(x, _sums(weight, factor) / factor**2, conv.bias, factor, padding=1)


def upsample_conv(conv: Any, x: Tensor, factor: int) -> Tensor:
    """conv(interpolate(x, scale_factor=factor)), (N, C_in, H, W) -> (N, C_out, factor * H, factor *
    W).
    """
    weight = None if factor == 1 else weight_of(conv)
    if weight is None:
        y: Tensor = conv(F.interpolate(x, scale_factor=factor) if factor > 1 else x)
        return y
    # in channels_last before the sums, of which there are more than of weights
    turned = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
    return F.conv_transpose2d(x, _sums(turned, factor), conv.bias, factor, padding=1)


def _sums(weight: Tensor, factor: int) -> Tensor:
    """Of a padded weight (C_out, C_in, 3, 3) over windows of factor x factor, in channels_last as
    weights are: (C_out, C_in, factor + 2, factor + 2).
    """
    # a matrix product: avg_pool2d takes as long as the convolution of a batch of small images
    side = factor + 2
    window = weight.new_ones(side, 3).tril().triu(1 - factor)
    sums = torch.kron(window, window) @ weight.permute(0, 2, 3, 1).flatten(1, 2)
    return sums.mT.reshape(*weight.shape[:2], side, side)
