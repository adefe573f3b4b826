"""Half and twice the size by the 4x4 filter [1, 3, 3, 1] x [1, 3, 3, 1], of sum 1, of each channel,
with zeros outside: StyleGAN2 (Karras et al. 2020), R3GAN (Huang et al. 2024).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Resample(nn.Module):
    """What these layers share: the filter."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("kernel", torch.outer(line, line) / 64, persistent=False)

    def _depthwise(self, x: Tensor) -> Tensor:
        return self.kernel.to(x.dtype).expand(x.shape[1], 1, 4, 4)


class Up(Resample):
    """Twice the height and width."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 2 * H, 2 * W)."""
        kernel = 4 * self._depthwise(x)  # a quarter of the pixels under it are not zero
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class Down(Resample):
    """Half the height and width."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H / 2, W / 2)."""
        return F.conv2d(x, self._depthwise(x), stride=2, padding=1, groups=x.shape[1])


class Blur(Resample):
    """The filter times `gain`, before or behind a convolution that changes the size."""

    def __init__(self, padding: int, gain: float = 1.0) -> None:
        super().__init__()
        self.padding, self.gain = padding, gain

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H + 2 * padding - 3, W + 2 * padding - 3)."""
        kernel = self.gain * self._depthwise(x)
        return F.conv2d(x, kernel, padding=self.padding, groups=x.shape[1])
