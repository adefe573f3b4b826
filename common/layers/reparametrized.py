"""PyTorch's layers, computing with a weight that is made of their parameter in every pass."""

from collections.abc import Callable
from math import prod
from typing import Any, cast

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
        weight = self.effective_weight()
        if self.padding_mode != "zeros" or self.groups > 1 or max(self.dilation) > 1:
            return self._conv_forward(input, weight, self.bias)
        return conv2d(input, weight, self.bias, self.stride, self.padding)


class ConvTranspose2d(Layer, nn.ConvTranspose2d):
    """A transposed convolution."""

    axis = 1

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H', W')."""
        weight, padding = self.effective_weight(), self.padding
        assert not isinstance(padding, str)  # nn.Conv2d alone knows words for it
        return conv_transpose2d(input, weight, self.bias, self.stride, padding, self.output_padding)


class Linear(Layer, nn.Linear):
    """A linear layer."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return F.linear(input, self.effective_weight(), self.bias)


# --- Gradients on a CPU
#
# The gradient of a weight is a sum over pixels. Where they are few beside the channels, oneDNN is
# at a fifth to two thirds of the rate of the matrix product that it is: of the windows of the
# larger image and the pixels of the smaller one, which a convolution makes and a transposed one is
# given. In bfloat16 it takes as long again for that of a transposed convolution's bias.

FEW, WIDE = {torch.bfloat16: 16}, 128
"""Pixels of a batch for each channel (in other dtypes 4), and channels: by measurements."""


def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any) -> Tensor:
    """F.conv2d, of one group and without dilation."""
    if not isinstance(padding, str) and _learns(x, weight):
        sides = zip(x.shape[-2:], weight.shape[-2:], _two(stride), _two(padding), strict=True)
        size = [(n + 2 * p - k) // s + 1 for n, k, s, p in sides]
        if _few(len(x) * prod(size), len(weight), _dtype(x)):
            return _Convolution.of(x, weight, bias, _two(stride), _two(padding), None)
    return F.conv2d(x, weight, bias, stride, padding)


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any = 0,
) -> Tensor:
    """F.conv_transpose2d, of one group and without dilation."""
    learns, dtype = _learns(x, weight), _dtype(x)
    if learns and _few(x.numel() // x.shape[1], x.shape[1], dtype):
        more = _two(output_padding)
        return _Convolution.of(x, weight, bias, _two(stride), _two(padding), more)
    if learns and bias is not None and dtype == torch.bfloat16:
        y = F.conv_transpose2d(x, weight, None, stride, padding, output_padding)
        return y + bias[:, None, None].to(y.dtype)
    return F.conv_transpose2d(x, weight, bias, stride, padding, output_padding)


def _two(number: Any) -> tuple[int, int]:
    return (number, number) if isinstance(number, int) else tuple(number)


def _learns(x: Tensor, weight: Tensor) -> bool:
    """Whether the weight has a gradient, on a CPU and untraced: nothing was measured elsewhere."""
    traced = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    here = x.device.type == "cpu" and x.dim() == 4 and not traced
    return here and weight.requires_grad and torch.is_grad_enabled()


def _dtype(x: Tensor) -> torch.dtype:
    """Autocast's, or of x."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def _few(pixels: int, channels: int, dtype: torch.dtype) -> bool:
    """Of a batch, and channels of the smaller image: whether a product pays."""
    return channels >= WIDE and pixels <= FEW.get(dtype, 4) * channels


class _Convolution(torch.autograd.Function):
    """A convolution, or with `more`, what is added to its sides, a transposed one: each has the
    other for the gradient of its input. This is differentiable as often as one likes.
    """

    @staticmethod
    def of(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        more: tuple[int, int] | None,
    ) -> Tensor:
        """In autocast's dtype, which a Function does not know in its backward pass."""
        if torch.is_autocast_enabled("cpu"):
            x, weight = x.to(_dtype(x)), weight.to(_dtype(x))
            bias = None if bias is None else bias.to(x.dtype)
        # of a parameter itself autograd does not tell whether its gradient is asked for
        weight, apply = weight.view_as(weight), cast("Callable[..., Tensor]", _Convolution.apply)
        return apply(x, weight, bias, stride, padding, more)

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Any,
        padding: Any,
        more: Any,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.numbers = stride, padding, more
        ctx.set_materialize_grads(False)  # no zeros, which would go back through the whole pass
        if more is None:
            return F.conv2d(x, weight, bias, stride, padding)
        return F.conv_transpose2d(x, weight, bias, stride, padding, more)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> tuple[Tensor | None, ...]:
        if g is None:
            return (None,) * 6
        (x, weight), (stride, padding, more) = ctx.saved_tensors, ctx.numbers
        large, small = (x, g) if more is None else (g, x)
        g_x = g_weight = None
        if ctx.needs_input_grad[0]:
            sides = zip(large.shape[2:], weight.shape[2:], stride, padding, strict=True)
            rest = tuple((n + 2 * p - k) % s for n, k, s, p in sides) if more is None else None
            g_x = cast("Callable[..., Tensor]", _Convolution.apply)(
                g, weight, None, stride, padding, rest
            )
        # a gradient penalty asks for that of x alone
        if ctx.needs_input_grad[1] and torch._C._will_engine_execute_node(ctx.next_functions[1][0]):
            g_weight = _slope(large, small, weight.shape[2:], stride, padding)
        g_bias = g.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return g_x, g_weight, g_bias, None, None, None


def _slope(large: Tensor, small: Tensor, sides: Any, stride: Any, padding: Any) -> Tensor:
    """A weight's gradient, (channels of small, channels of large, *sides), in channels_last."""
    (top, left), rows = padding, large
    if top or left:
        rows = F.pad(large, (left, left, top, top))
    windows = rows.permute(0, 2, 3, 1)
    for axis in (0, 1):
        windows = windows.unfold(1 + axis, sides[axis], stride[axis])
    windows = windows.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)
    product = small.permute(0, 2, 3, 1).flatten(0, 2).mT @ windows
    return product.view(small.shape[1], *sides, large.shape[1]).permute(0, 3, 1, 2)


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
    return conv2d(x, _sums(weight, factor) / factor**2, conv.bias, factor, 1)


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
    return conv_transpose2d(x, _sums(turned, factor), conv.bias, factor, 1)


def _sums(weight: Tensor, factor: int) -> Tensor:
    """Of a padded weight (C_out, C_in, 3, 3) over windows of factor x factor, in channels_last as
    weights are: (C_out, C_in, factor + 2, factor + 2).
    """
    # a matrix product: avg_pool2d takes as long as the convolution of a batch of small images
    side = factor + 2
    window = weight.new_ones(side, 3).tril().triu(1 - factor)
    sums = torch.kron(window, window) @ weight.permute(0, 2, 3, 1).flatten(1, 2)
    return sums.mT.reshape(*weight.shape[:2], side, side)
