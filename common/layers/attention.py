"""Self-attention between the pixels of feature maps: SAGAN (Zhang et al. 2019)."""

import torch
from torch import Tensor, nn

from ganlib.common.layers.init import init_glorot_uniform
from ganlib.common.layers.spectral_norm import SNConv2d


class SelfAttention(nn.Module):
    """x + gamma o(attention of theta(x) to phi(x) over g(x)); gamma starts at 0.

    The released code's: theta and phi have an eighth of the channels, g half of them, all are 1x1
    without bias, and phi and g are those of every 2x2 pixels' largest, so that a pixel looks at a
    quarter of them. Products are not scaled. In the paper all three have an eighth and nothing is
    pooled. Source: brain-research/self-attention-gan non_local.py, sn_non_local_block_sim.
    """

    def __init__(self, ch: int) -> None:
        super().__init__()
        few, half = max(1, ch // 8), max(1, ch // 2)
        self.theta = SNConv2d(ch, few, 1, bias=False)
        self.phi = SNConv2d(ch, few, 1, bias=False)
        self.g = SNConv2d(ch, half, 1, bias=False)
        self.o = SNConv2d(half, ch, 1, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.gamma = nn.Parameter(torch.zeros(()))
        init_glorot_uniform(self)

    def forward(self, x: Tensor, *condition: Tensor) -> Tensor:
        """(N, ch, H, W) -> the same; H and W are even. A condition is not used."""
        query = self.theta(x).flatten(2).mT
        key, value = (self.pool(conv(x)).flatten(2) for conv in (self.phi, self.g))
        beta = torch.softmax(query @ key, 2)  # (N, H * W, H * W / 4)
        seen = (beta @ value.mT).mT.unflatten(2, x.shape[2:])
        return x + self.gamma * self.o(seen)
