"""A trained translator applied to sources of any size: made larger by what is on their border, and
large ones piece by piece: where the pieces lie, and how what they overlap is blended.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial
from math import lcm
from typing import NamedTuple

import torch
from torch import Tensor

from ganlib.common.data.spec import Size, w_by_h
from ganlib.common.errors import UserError, one_line
from ganlib.common.io.files import as_user_error
from ganlib.training.samples.sample_stream import full_size
from ganlib.training.updater import Updater

SHARE = 4
"""Neighbours have a quarter of a tile in common, or more where they do not divide an image."""

Scale = tuple[Fraction, Fraction]


class Way(NamedTuple):
    """How a source goes through the network: padded to a size, a tile at a time."""

    size: Size
    padded: Size
    tile: Size


class Translator:
    """Images of sources, each a function of (source, seed, number) alone.

    A source of the size that the data of training had is treated as there: its image is the sample
    `number` of that seed which sample() draws from it. All others go to the network as they are,
    padded at the right and at the bottom by repeating the border, to multiples of what the
    generator's `multiple` says, in tiles of about `tile` pixels if that is given; of a generator of
    one size, in tiles of that size. Images keep their proportion to the sources.

    statistics: see bn_statistics.py; with "batch" every source, and every tile of one, is
    normalised by itself. UserError if the generator starts from no images, and for a `tile` where
    it chooses the size of its tiles itself.
    """

    def __init__(
        self,
        updater: Updater,
        seed: int = 0,
        tile: int | None = None,
        statistics: str | None = None,
    ) -> None:
        if not updater.config.translates:
            raise UserError(
                "This generator starts from no images, so it translates none: `ganlib sample` "
                "draws from it."
            )
        self.stream = updater.sample_stream(seed, statistics=statistics)
        self.spec, self.multiple, self.tile = updater.spec, self.stream.gen.multiple, tile
        assert self.spec.source is not None
        self.source: Size = self.spec.source[1:]
        self.scale = (
            Fraction(self.spec.image[1], self.source[0]),
            Fraction(self.spec.image[2], self.source[1]),
        )
        if tile is not None and tile < 1:
            raise UserError(f"tile is {tile}; give the side of a square in pixels.")
        if tile is not None and self.multiple == 0:
            raise UserError(
                f"This generator takes tiles of {w_by_h(self.source)} alone: leave --tile out."
            )

    def way(self, size: Size) -> Way:
        """How sources of `size` go through the network."""
        if size == self.spec.native_source:
            return Way(size, size, size)
        high, wide = (
            _side(n, whole, scale.denominator, self.multiple, self.tile)
            for n, whole, scale in zip(size, self.source, self.scale, strict=True)
        )
        return Way(size, (high[0], wide[0]), (high[1], wide[1]))

    def __call__(self, y: Tensor, number: int = 0) -> Tensor:
        """The image, float (C, H, W) in [-1, 1] on the CPU, of one source, uint8 (C', H', W') or
        int32 (2, H', W').

        UserError if the network does not take it.
        """
        y, (height, width) = y[None], y.shape[1:]
        way, make = self.way((height, width)), partial(self._tile, number)
        with self.stream.noise([number]):
            if way.size == self.spec.native_source:
                ready = self._ready(self.spec.to_source(y))
                return self.stream.decode(self.stream.hidden([number]), ready).cpu()[0]
            whole = tiled(grown(y, way.padded), way.tile, self.scale, make)
        # (C, scale[0] * height, scale[1] * width), rounded up
        high, wide = (-(-n * s // 1) for n, s in zip(way.size, self.scale, strict=True))
        return whole[0, :, :high, :wide].contiguous()

    def _tile(self, number: int, y: Tensor) -> Tensor:
        """What the network makes of sources as they are."""
        height, width = (int(n * s) for n, s in zip(y.shape[2:], self.scale, strict=True))
        z, ready = self.stream.hidden([number]), self._ready(y)
        with as_user_error(partial(_refused, y), (RuntimeError, ValueError)):
            x = self.stream.made(self.stream.code(z, ready), ready)
        if height % x.shape[2] or width % x.shape[3]:
            raise UserError(
                f"The generator makes {w_by_h(x.shape)} of a source of {w_by_h(y.shape)} pixels, "
                f"where {width}x{height} would be in proportion: its `multiple` of {self.multiple} "
                "is not right."
            )
        return full_size(x, (x.shape[1], height, width)).clamp(-1, 1).cpu()

    def _ready(self, y: Tensor) -> Tensor:
        """Sources as the network is given them."""
        y = y.to(next(self.stream.gen.parameters()).device)
        return y if self.spec.source_kind == "ids" else y.float().div_(127.5).sub_(1)


def _side(n: int, whole: int, unit: int, multiple: int, tile: int | None) -> tuple[int, int]:
    """How long a side of n pixels is once it is padded, and how long that side of a tile.

    whole: the length in training. unit: what makes whole pixels of the image.
    """
    if multiple == 0:
        return max(whole, up_to(n, unit)), whole
    step = lcm(multiple, unit)
    padded = up_to(n, step)
    return padded, padded if tile is None else min(padded, up_to(tile, step))


def _refused(y: Tensor, error: Exception) -> str:
    if isinstance(error, torch.OutOfMemoryError) or "allocate" in str(error):
        return f"The memory is too small for {w_by_h(y.shape)} pixels at once: give a --tile."
    return f"The generator takes no source of {w_by_h(y.shape)} pixels: {one_line(error)}."


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
