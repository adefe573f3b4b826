"""Images made larger by what is on their border; and large ones made piece by piece: where the
pieces lie, and how what they overlap is blended.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from ganlib.common.data.spec import Size

SHARE = 4
"""Neighbours have a quarter of a tile in common, or more where they do not divide an image."""

Scale = tuple[Fraction, Fraction]


def tiled(y: Tensor, tile: Size, scale: Scale, make: Callable[[Tensor], Tensor]) -> Tensor:
    """(1, C, scale[0] * H, scale[1] * W) of y (1, C', H, W), of which `make` is given a tile at a
    time, and makes an image of it that is in the same proportion.

    H, W and the sides of a tile are multiples of the denominators of `scale`, H and W no smaller
    than a tile.
    """
    (high, wide), (down, across) = tile, scale
    tops = places(y.shape[2], high, down.denominator)
    lefts = places(y.shape[3], wide, across.denominator)
    strips = (
        blended(
            (make(y[..., top : top + high, left : left + wide]) for left in lefts),
            [int(left * across) for left in lefts],
            int(_overlap(wide, across.denominator) * across),
            dim=3,
        )
        for top in tops
    )
    starts = [int(top * down) for top in tops]
    return blended(strips, starts, int(_overlap(high, down.denominator) * down), dim=2)


def places(length: int, tile: int, unit: int = 1) -> list[int]:
    """Where tiles start that cover 0 to length and spread evenly, in multiples of `unit`."""
    if length <= tile:
        return [0]
    step = tile - _overlap(tile, unit)
    more = -(-(length - tile) // step)
    return [i * (length - tile) // unit // more * unit for i in range(more + 1)]


def blended(parts: Iterable[Tensor], starts: Sequence[int], overlap: int, dim: int) -> Tensor:
    """Parts of one shape as one, each from its start along `dim` on; starts grow from 0.

    Around the middle of what two neighbours share, over `overlap` elements, the first part turns
    into the second linearly: the weights of both sum to 1, and equal values stay what they are to
    the bit.
    """
    whole, end = torch.empty(0), 0
    for start, part in zip(starts, parts, strict=True):
        length = part.shape[dim]
        if start == 0:
            shape = list(part.shape)
            shape[dim] = starts[-1] + length
            whole = part.new_empty(shape)
        fade = min(overlap, end - start)
        first = start + (end - start - fade) // 2
        _fade(whole.narrow(dim, first, fade), part.narrow(dim, first - start, fade), dim)
        rest = start + length - first - fade
        whole.narrow(dim, first + fade, rest).copy_(part.narrow(dim, length - rest, rest))
        end = start + length
    return whole


def _fade(old: Tensor, new: Tensor, dim: int) -> None:
    """Turn `old` into `new` along `dim`, in place."""
    n = old.shape[dim]
    t = (torch.arange(n, dtype=old.dtype, device=old.device) + 0.5) / max(1, n)
    old.lerp_(new, t.reshape(-1, *[1] * (old.dim() - dim - 1)))


def _overlap(tile: int, unit: int) -> int:
    return tile // SHARE // unit * unit


def up_to(n: int, multiple: int) -> int:
    """The least multiple that is no smaller than n."""
    return -(-n // multiple) * multiple


def grown(x: Tensor, size: Size) -> Tensor:
    """(N, C, h, w) of any dtype to (N, C, *size), no smaller: the last column and row repeated."""
    for dim, (n, side) in enumerate(zip(x.shape[2:], size, strict=True), 2):
        if n != side:
            x = x.index_select(dim, torch.arange(side, device=x.device).clamp_(max=n - 1))
    return x
