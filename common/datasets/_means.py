"""Images at lower resolutions, each pixel the mean of a whole block of pixels."""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add

import torch
from torch import Tensor

from ganlib.common.data import Shape
from ganlib.common.errors import UserError

SHORT = 127  # pixels, whose sum is below 2^15, also with half of their number


def check_sides(sides: Sequence[int], shape: Shape) -> None:
    """UserError unless images of `shape` are square and divide into blocks for each of `sides`."""
    _, height, width = shape
    if sides and height != width:
        raise UserError(
            f"The images are {width}x{height}, and lower resolutions are of square ones: give "
            "--size too."
        )
    for larger, side in zip((height, *sides), sides, strict=False):
        if not 0 < side < larger or larger % side:
            raise UserError(
                f"Images of {larger} pixels have no whole blocks for {side}: of the resolutions, "
                "each must divide the next larger one."
            )


def means(x: Tensor, sides: Sequence[int]) -> Iterator[Tensor]:
    """uint8 (n, C, S, S) as uint8 (n, C, side, side) for each of `sides`, which check_sides passed.

    All are means of the pixels of x, not of each other, and rounded once, halves up: the sums that
    they are made of are whole numbers.
    """
    sums, whole = x, x.shape[2]
    for side in sides:
        k, n = sums.shape[2] // side, (whole // side) ** 2
        sums = sums.to(torch.int16 if n <= SHORT else torch.int32)
        sums = _sums(_sums(sums, 2, k), 3, k)
        yield ((sums + n // 2) // n).to(torch.uint8)


def _sums(x: Tensor, dim: int, k: int) -> Tensor:
    """Sums of k neighbours along `dim`."""
    slices = (x[..., i::k, :] if dim == 2 else x[..., i::k] for i in range(k))
    return reduce(add, slices)
