"""PyTorch's layers, computing with a weight that is made of their parameter in every pass."""

from typing import Any

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
