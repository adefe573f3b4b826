"""Edge maps against a loop over pixels that measures angles."""

import numpy as np
import torch
from numpy.typing import NDArray

from ganlib.common.sources.edges import THRESHOLD, edges


def by_loop(y: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of grey pixels (H, W)."""
    height, width = y.shape
    padded = np.pad(y.astype(np.int64), 1, mode="edge")
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    right, down = np.zeros((2, height, width), np.int64)
    for i in range(height):
        for j in range(width):
            window = padded[i : i + 3, j : j + 3]
            right[i, j], down[i, j] = (window * kernel).sum(), (window * kernel.T).sum()
    length = np.pad(np.hypot(right, down), 1)
    result = np.zeros((height, width), np.uint8)
    for i in range(height):
        for j in range(width):
            eighth = round(np.arctan2(down[i, j], right[i, j]) / (np.pi / 4))
            row, column = round(np.sin(eighth * np.pi / 4)), round(np.cos(eighth * np.pi / 4))
            here = length[i + 1, j + 1]
            behind, ahead = length[i + 1 - row, j + 1 - column], length[i + 1 + row, j + 1 + column]
            if here >= THRESHOLD and here > behind and here >= ahead:
                result[i, j] = 255
    return result


def test_maps_are_those_of_a_loop() -> None:
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(3, 1, 5, 4, generator=random)
    smooth = 255 * torch.nn.functional.interpolate(coarse, (17, 14), mode="bicubic").clamp(0, 1)
    noise = torch.randint(256, (2, 1, 17, 14), generator=random)
    x = torch.cat([smooth.byte(), noise.byte()])
    found = edges(x)
    assert found.shape == x.shape and found.dtype == torch.uint8
    wanted = np.stack([by_loop(one[0].numpy()) for one in x])
    assert 0.05 < (wanted > 0).mean() < 0.5
    assert np.array_equal(found[:, 0].numpy(), wanted)


def test_the_edge_of_a_square_is_a_line_of_one_pixel_around_it() -> None:
    x = torch.zeros(1, 3, 12, 12, dtype=torch.uint8)
    x[..., 4:8, 4:8] = 255
    on = edges(x)[0, 0] > 0
    assert on.shape == (12, 12)
    assert on[5].nonzero().flatten().tolist() == on[:, 5].nonzero().flatten().tolist()
    assert len(on[5].nonzero()) == 2
    assert not edges(torch.full((1, 1, 5, 5), 200, dtype=torch.uint8)).any()
