"""BigGAN-deep: blocks with a bottleneck. The paper's appendix B, BigGAN-PyTorch BigGANdeep.py."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.biggan.generator import SharedClassGenerator
from ganlib.common.layers.attention import SelfAttention
from ganlib.common.layers.conditional import VectorBatchNorm2d
from ganlib.common.layers.reparametrized import upsample_conv
from ganlib.common.layers.spectral_norm import SNConv2d
from ganlib.common.networks.resnet import global_sum

RATIO = 4
"""How many times fewer channels the bottleneck has."""


class Bottleneck(nn.Module):
    """The convolutions of a block: 1x1 to `hidden` channels, 3x3 twice, 1x1."""

    def __init__(self, in_channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.c1 = SNConv2d(in_channels, hidden, 1)
        self.c2 = SNConv2d(hidden, hidden, 3, padding=1)
        self.c3 = SNConv2d(hidden, hidden, 3, padding=1)
        self.c4 = SNConv2d(hidden, out_channels, 1)


class DeepGenBlock(Bottleneck):
    """BN and ReLU before each convolution, upsampling before c2; the shortcut drops channels."""

    def __init__(self, in_channels: int, out_channels: int, up: int, n_told: int) -> None:
        hidden = max(1, in_channels // RATIO)
        super().__init__(in_channels, hidden, out_channels)
        self.out_channels = out_channels
        self.b1 = VectorBatchNorm2d(in_channels, n_told)
        self.b2, self.b3, self.b4 = (VectorBatchNorm2d(hidden, n_told) for _ in range(3))
        self.up = up
        self.resize = nn.Upsample(scale_factor=up) if up > 1 else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, up * H, up * W)."""
        h = self.c1(F.relu(self.b1(x, condition)))
        h = upsample_conv(self.c2, F.relu(self.b2(h, condition)), self.up)
        h = self.c3(F.relu(self.b3(h, condition)))
        h = self.c4(F.relu(self.b4(h, condition)))
        return h + self.resize(x[:, : self.out_channels])


class DeepGenerator(SharedClassGenerator):
    """Two blocks of each size; all, and the first layer, see the class's vector and all of z."""

    def blocks(self, in_channels: int, out_channels: int, n_told: int) -> list[nn.Module]:
        """A block that keeps size and channels, and one that changes them."""
        return [
            DeepGenBlock(in_channels, in_channels, 1, n_told),
            DeepGenBlock(in_channels, out_channels, 2, n_told),
        ]

    def conditions(self, z: Tensor, e: Tensor) -> list[Tensor]:
        """The same for all."""
        return [torch.cat((e, z), 1)] * (1 + self.n_stages)


class DeepDisBlock(Bottleneck):
    """ReLU before convolutions, mean pool before c4; the shortcut pools, c_sc adds channels."""

    def __init__(self, in_channels: int, out_channels: int, down: int) -> None:
        super().__init__(in_channels, max(1, out_channels // RATIO), out_channels)
        more = out_channels - in_channels
        self.c_sc = SNConv2d(in_channels, more, 1) if more else None
        self.resize = nn.AvgPool2d(down) if down > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / down, W / down)."""
        h = self.c3(F.relu(self.c2(F.relu(self.c1(F.relu(x))))))
        h = self.c4(self.resize(F.relu(h)))
        x = self.resize(x)
        return h + (x if self.c_sc is None else torch.cat((x, self.c_sc(x)), 1))


class DeepFeatures(nn.Module):
    """A 3x3 convolution, two blocks of each size, ReLU, sum: all of a discriminator but its last
    layer.

    widths: channels behind the first convolution and behind each size's blocks, the first of which
    halves: 128 pixels become 4; attention_at: behind so many sizes there is attention.
    """

    def __init__(self, channels: int, widths: Sequence[int], attention_at: int) -> None:
        super().__init__()
        self.first = SNConv2d(channels, widths[0], 3, padding=1)
        self.blocks = nn.Sequential()
        for number, (a, b) in enumerate(pairwise(widths), 1):
            self.blocks.extend([DeepDisBlock(a, b, 2), DeepDisBlock(b, b, 1)])
            if number == attention_at:
                self.blocks.append(SelfAttention(b))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) -> (N, widths[-1])."""
        return global_sum(F.relu(self.blocks(self.first(x))))
