"""A trained translator applied to sources of any size."""

from fractions import Fraction
from functools import partial
from math import lcm
from typing import NamedTuple

import torch
from torch import Tensor

from ganlib.common.data.spec import Size
from ganlib.common.errors import UserError, one_line
from ganlib.common.generator import has_noise
from ganlib.sampling.translation.tiles import grown, tiled, up_to
from ganlib.training.samples.sample_stream import full_size
from ganlib.training.updater import Updater


class Way(NamedTuple):
    """How a source goes through the network: padded to a size, a tile at a time."""

    size: Size
    padded: Size
    tile: Size

    @property
    def pads(self) -> bool:
        """Whether it is padded."""
        return self.padded != self.size

    @property
    def cuts(self) -> bool:
        """Whether it is more than one tile."""
        return self.tile != self.padded


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
        if tile is not None and self.multiple == 0:
            raise UserError(
                f"This generator takes tiles of {_by(self.source)} alone: leave --tile out."
            )

    @property
    def draws(self) -> bool:
        """Whether images of one source differ by their numbers."""
        return has_noise(self.stream.gen)

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
        with self.stream.noise([number]):
            if y.shape[1:] == self.spec.native_source:
                ready = self._ready(self.spec.to_source(y[None]))
                x = self.stream.decode(self.stream.hidden([number]), ready).cpu()
            else:
                x = self._of_another_size(y[None], number)
        return x[0]

    def _of_another_size(self, y: Tensor, number: int) -> Tensor:
        """(1, C', h, w) -> (1, C, scale[0] * h, scale[1] * w), rounded up."""
        height, width = y.shape[2:]
        way = self.way((height, width))
        whole = tiled(grown(y, way.padded), way.tile, self.scale, partial(self._tile, number))
        high, wide = (-(-n * s // 1) for n, s in zip((height, width), self.scale, strict=True))
        return whole[..., :high, :wide].contiguous()

    def _tile(self, number: int, y: Tensor) -> Tensor:
        """What the network makes of sources as they are."""
        height, width = (int(n * s) for n, s in zip(y.shape[2:], self.scale, strict=True))
        z, ready = self.stream.hidden([number]), self._ready(y)
        try:
            x = self.stream.made(self.stream.code(z, ready), ready)
        except (RuntimeError, ValueError) as error:
            raise UserError(_refused(y, error)) from error
        if height % x.shape[2] or width % x.shape[3]:
            raise UserError(
                f"The generator makes {_by(x.shape[2:])} of a source of {_by(y.shape[2:])} pixels, "
                f"where {_by((height, width))} would be in proportion: its `multiple` of "
                f"{self.multiple} is not right."
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
        return f"The memory is too small for {_by(y.shape[2:])} pixels at once: give a --tile."
    return f"The generator takes no source of {_by(y.shape[2:])} pixels: {one_line(error)}."


def _by(size: Size | torch.Size) -> str:
    """A size (H, W) in words, the width first."""
    return f"{size[1]}x{size[0]}"
