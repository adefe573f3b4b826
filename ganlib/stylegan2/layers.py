"""StyleGAN2's layers: Karras et al. 2020, section 2; sizes and initial laws as in
NVlabs/stylegan2-ada-pytorch.

Weights start from N(0, 1) and are scaled in every pass, as in progressive growing; the gain of a
leaky ReLU, sqrt(2), comes behind it, so that of the bias too.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.layers import LEAK
from ganlib.common.layers.basic import PixelNoise, one_hot
from ganlib.common.layers.progressive import EqualizedLinear, pixel_norm
from ganlib.common.layers.reparametrized import conv2d, conv_transpose2d
from ganlib.common.layers.resampling import Blur

MAPPING_RATE = 0.01
"""How much slower than others the layers of a mapping network learn."""


def leaky(h: Tensor, gain: float = math.sqrt(2)) -> Tensor:
    """A leaky ReLU, times the gain that keeps the variance."""
    return F.leaky_relu(h, LEAK) * gain


class Dense(EqualizedLinear):
    """A linear layer of which weights and biases learn `rate` times as fast as others."""

    def __init__(self, n_in: int, n_out: int, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__(n_in, n_out, gain=rate)
        self.rate = rate
        nn.init.normal_(self.weight, 0.0, 1 / rate)
        nn.init.constant_(self.bias, bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, n_in) -> (N, n_out)."""
        return F.linear(input, self.effective_weight(), self.bias * self.rate)


class ClassVector(nn.Module):
    """A linear layer of the classes, of which the mean square of the outputs is 1."""

    def __init__(self, n_classes: int, n_out: int) -> None:
        super().__init__()
        self.l0 = Dense(n_classes, n_out)

    def forward(self, y: Tensor) -> Tensor:
        """int64 (N,) or float (N, n_classes) -> (N, n_out)."""
        return pixel_norm(self.l0(one_hot(y, self.l0.in_features, self.l0.weight)))


class Mapping(nn.Module):
    """z, and a class if there are any, on spheres; then dense layers to w."""

    def __init__(self, n_hidden: int, n_style: int, n_layers: int, n_classes: int) -> None:
        super().__init__()
        self.classes = ClassVector(n_classes, n_hidden) if n_classes else None
        sizes = [n_hidden * (2 if n_classes else 1), *[n_style] * n_layers]
        self.layers = nn.ModuleList(
            Dense(n_in, n_out, MAPPING_RATE) for n_in, n_out in pairwise(sizes)
        )

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (N, n_hidden) and y, int64 (N,) or float (N, n_classes) -> w (N, n_style)."""
        h = pixel_norm(z)
        if self.classes is not None:
            assert y is not None
            h = torch.cat((h, self.classes(y)), 1)
        for layer in self.layers:
            h = leaky(layer(h))
        return h


class ModulatedConv2d(nn.Module):
    """A convolution without bias whose weight is each sample's own: its input channels are scaled
    by a linear function of w, about 1 at first, and its output channels so that unit variance stays
    what it is (section 2.2). With `up` it doubles the size, and is blurred.

    Computed as the authors do in training: the images are scaled and not the weights, of which all
    samples then share one. Grouped convolutions with a weight each took up to three times as long.
    """

    def __init__(
        self, in_ch: int, out_ch: int, kernel: int, n_style: int, up: bool = False
    ) -> None:
        super().__init__()
        sizes = (in_ch, out_ch) if up else (out_ch, in_ch)  # as PyTorch's layers have them
        self.weight = nn.Parameter(torch.randn(*sizes, kernel, kernel))
        self.style = Dense(n_style, in_ch, bias=1.0)
        self.blur = Blur(padding=1, gain=4.0) if up else None

    def scales(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Of w (N, n_style): those of input channels (N, in_ch) and output channels (N, out_ch)."""
        s = self.style(w)
        power = self.weight.square().sum((2, 3))
        return s, (s.square() @ (power.mT if self.blur is None else power) + 1e-8).rsqrt()

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (N, in_ch, H, W) and w (N, n_style) -> (N, out_ch, H, W), or twice as high and wide."""
        s, d = (scale.to(x.dtype)[:, :, None, None] for scale in self.scales(w))
        if self.blur is None:
            return conv2d(x * s, self.weight, None, 1, self.weight.shape[2] // 2) * d
        h: Tensor = self.blur(conv_transpose2d(x * s, self.weight, None, 2, 0))
        return h * d


class StyledConv2d(nn.Module):
    """A modulated 3x3 convolution, noise, a bias for each channel, and a leaky ReLU; its output has
    so many pixels on a side.
    """

    def __init__(self, in_ch: int, out_ch: int, n_style: int, side: int, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_ch, out_ch, 3, n_style, up)
        self.noise = PixelNoise(1, side, side)
        self.bias = nn.Parameter(torch.zeros(out_ch, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (N, in_ch, H, W) and w (N, n_style) -> (N, out_ch, side, side)."""
        h = self.noise(self.conv(x, w))
        return leaky(h + self.bias.to(h.dtype))


class ToImage(ModulatedConv2d):
    """A modulated 1x1 convolution to the image's channels, with a bias and not demodulated."""

    def __init__(self, in_ch: int, out_ch: int, n_style: int) -> None:
        super().__init__(in_ch, out_ch, 1, n_style)
        self.bias = nn.Parameter(torch.zeros(out_ch, 1, 1))

    def scales(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """The style, so small that the image's variance is that of the features; and ones."""
        out_ch, in_ch = self.weight.shape[:2]
        return self.style(w) / math.sqrt(in_ch), w.new_ones(1, out_ch)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (N, in_ch, H, W) and w (N, n_style) -> (N, out_ch, H, W)."""
        return super().forward(x, w) + self.bias
