"""Means over blocks against numpy's, of the darkest, the brightest and random pixels."""

import numpy as np
import pytest
import torch

from ganlib.common.errors import UserError
from ganlib.common.formats.resize import check_sides, means

generator = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("side", "sides"),
    [(64, (32, 16, 8, 4, 2, 1)), (121, (11, 1)), (90, (30, 10, 5)), (256, (1,)), (8, ())],
)
def test_means_are_rounded_once(side: int, sides: tuple[int, ...]) -> None:
    check_sides(sides, (3, side, side))
    noise = torch.randint(0, 256, (2, 3, side, side), generator=generator, dtype=torch.uint8)
    for x in (noise, torch.full_like(noise, 255), noise // 128 * 255, noise // 255):
        made = list(means(x, sides))
        assert len(made) == len(sides)
        for small, n in zip(made, sides, strict=True):
            blocks = x.numpy().astype(np.float64).reshape(2, 3, n, side // n, n, side // n)
            exact = blocks.mean((3, 5))
            assert small.dtype == torch.uint8
            # where a sum in binary is exact, also halves are right
            assert np.array_equal(small.numpy(), np.floor(exact + 0.5 + 1e-9))


def test_sides_from_the_largest_down() -> None:
    with pytest.raises(UserError, match="Images of 4 pixels have no whole blocks for 8"):
        check_sides((4, 8), (1, 16, 16))
