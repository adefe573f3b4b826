"""The filter [1, 3, 3, 1] against upfirdn as a loop over pixels, and against other words for it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.layers.resampling import Blur, Down, Up

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def upfirdn(x: Tensor, up: int, down: int, pads: tuple[int, int], gain: float = 1) -> Tensor:
    """Zeros between pixels, zeros around, the filter at each place, of which every so many stay:
    pads are those before and behind both axes.
    """
    n, channels, height, width = x.shape
    wide = np.zeros((n, channels, height * up + sum(pads), width * up + sum(pads)))
    first = pads[0]
    for i, j in np.ndindex(height, width):
        wide[:, :, first + i * up, first + j * up] = x[:, :, i, j].numpy()
    size = [(side - 4) // down + 1 for side in wide.shape[2:]]
    y = np.zeros((n, channels, *size))
    for i, j in np.ndindex(*size):
        window = wide[:, :, i * down : i * down + 4, j * down : j * down + 4]
        y[:, :, i, j] = gain * (window * FILTER[::-1, ::-1]).sum((2, 3))
    return torch.from_numpy(y)


@pytest.mark.parametrize(
    ("layer", "up", "down", "pads", "gain"),
    [
        (Up(), 2, 1, (2, 1), 4),
        (Down(), 1, 2, (1, 1), 1),
        (Blur(padding=1, gain=4.0), 1, 1, (1, 1), 4),
        (Blur(padding=2), 1, 1, (2, 2), 1),
    ],
)
def test_layers_are_upfirdn(
    layer: nn.Module, up: int, down: int, pads: tuple[int, int], gain: float
) -> None:
    x = torch.randn(2, 3, 6, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x), upfirdn(x, up, down, pads, gain))


def blurred(x: Tensor) -> Tensor:
    """[1, 2, 1] / 4 along both sides, zeros outside."""
    line = F.pad(x, (1, 1, 1, 1))
    line = (line[..., :-2] + 2 * line[..., 1:-1] + line[..., 2:]) / 4
    return (line[..., :-2, :] + 2 * line[..., 1:-1, :] + line[..., 2:, :]) / 4


def test_resampling_is_a_blur_of_nearest_neighbours() -> None:
    """[1, 3, 3, 1] is [1, 2, 1] after [1, 1]."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 6, 4)
    nearest = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(Up()(x), blurred(nearest))
    torch.testing.assert_close(Down()(x), F.avg_pool2d(blurred(x), 2))
    flat = torch.ones(1, 2, 8, 8)
    torch.testing.assert_close(Up()(flat)[..., 1:-1, 1:-1], torch.ones(1, 2, 14, 14))
    assert not list(Up().state_dict())
