"""Sources that are made of the images themselves: a drawing, the image without its colours, ..."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from ganlib.common.data.crops import Croppable
from ganlib.common.data.spec import POINTS, DataSet, Images, Shape, resize_pixels
from ganlib.common.errors import UserError
from ganlib.common.formats.stream import Block, Stream, block_length, with_pictures
from ganlib.common.io.memory import require_memory
from ganlib.common.seeds import generator
from ganlib.common.sources.edges import edges
from ganlib.common.sources.grey import grey

HOLE = 128
"""What stands where something is missing: the middle of 0..255."""
FACTORS = (2, 3, 4, 8)


class Derivation(NamedTuple):
    """How a source is made of its image.

    words: what it is, for the provenance. make: of uint8 pictures (n, C, H, W) and their numbers
    (n,), uint8 (n, C', H', W'), each a function of its own picture and number alone. multiple: what
    the sides of a picture must be multiples of.
    """

    words: str
    make: Callable[[Tensor, Tensor], Tensor]
    multiple: int = 1

    def of(self, x: Tensor, index: Tensor, frames: int = 1) -> Tensor:
        """The same of images (n, frames * C, H, W), picture by picture."""
        n, channels, *size = x.shape
        pictures = x.reshape(n * frames, channels // frames, *size)
        made = self.make(pictures, index.repeat_interleave(frames))
        return made.reshape(n, frames * made.shape[1], *made.shape[2:])

    def shape(self, image: Shape, frames: int = 1) -> Shape:
        """(C', H', W') of images (C, H, W); UserError for such that it cannot be made of."""
        if image == POINTS:
            raise UserError("Points have no pixels to make a source of: leave --source out.")
        one = torch.zeros(1, *image, dtype=torch.uint8)
        _, channels, height, width = self.of(one, torch.zeros(1, dtype=torch.int64), frames).shape
        return channels, height, width


def draw_edges() -> Derivation:
    """Edge maps, white on black: see common/sources/edges.py."""
    return Derivation("edges by Sobel's gradient", lambda x, _: edges(x))


def leave_colours() -> Derivation:
    """Luma; UserError of images that have no colours."""

    def make(x: Tensor, index: Tensor) -> Tensor:
        if x.shape[1] == 1:
            raise UserError("These images are grey already: a source without colours is no other.")
        return grey(x)

    return Derivation("grey, luma of BT.601", make)


def mask(seed: int) -> Derivation:
    """The image with a hole half as high and half as wide as it is, in the colour HOLE, at a place
    that depends on (seed, number).
    """

    def make(x: Tensor, index: Tensor) -> Tensor:
        height, width = x.shape[2:]
        u = torch.stack([_uniform(seed, number) for number in index.tolist()])
        inside = _within(u[:, 0], height)[:, None, :, None] & _within(u[:, 1], width)[:, None, None]
        return x.masked_fill(inside, HOLE)

    return Derivation(f"masked, a hole of half the sides by seed {seed}", make)


def lower_resolution(factor: int) -> Derivation:
    """Bicubic with antialiasing, as the field makes them; UserError unless the sides divide."""

    def make(x: Tensor, index: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height % factor or width % factor:
            raise UserError(
                f"Images of {width}x{height} cannot be {factor} times smaller: give a --size "
                f"that is a multiple of {factor}."
            )
        return resize_pixels(x, (height // factor, width // factor))

    return Derivation(f"a resolution {factor} times lower, bicubic", make, factor)


class Derived:
    """The sources (N, C', H', W') of images, each made when it is asked for."""

    def __init__(self, images: Images, by: Derivation, frames: int) -> None:
        self.images, self.by, self.frames = images, by, frames
        _, channels, height, width = images.shape
        self.shape = len(images), *by.shape((channels, height, width), frames)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.by.of(self.images[index], index, self.frames)


class DerivedCrops(Derived):
    """The sources of crops, each of what its crop shows."""

    images: Croppable

    def crops(self, index: Tensor, places: Tensor) -> Tensor:
        """uint8 (n, C', H', W') of the crops at the places (n, 2)."""
        return self.by.of(self.images.crops(index, places), index, self.frames)


def with_derived(data: DataSet, by: Derivation) -> DataSet:
    """`data` with such sources, in memory where the images are."""
    kind = DerivedCrops if isinstance(data.x, Croppable) else Derived
    lazy = kind(data.x, by, data.frames)
    source = _all(lazy, data.name) if isinstance(data.x, Tensor) else lazy
    return with_pictures(data, source, data.frames, {"sources": by.words})


def stream_derived(stream: Stream, by: Derivation) -> Stream:
    """The same of a stream."""

    def blocks() -> Iterator[Block]:
        start = 0
        for block in stream.blocks:
            index = torch.arange(start, start + len(block.x))
            yield block._replace(source=by.of(block.x, index, stream.frames))
            start += len(block.x)

    shape = by.shape(stream.shape, stream.frames)
    told = with_pictures(stream, shape, stream.frames, {"sources": by.words})
    return replace(told, blocks=blocks(), sources=None)


def _all(images: Derived, name: str) -> Tensor:
    require_memory(name, prod(images.shape))
    result = torch.empty(images.shape, dtype=torch.uint8)
    _, channels, height, width = images.images.shape
    step = block_length((channels, height, width))
    for start in range(0, len(images), step):
        rows = torch.arange(start, min(start + step, len(images)))
        result[rows] = images[rows]
    return result


def _uniform(seed: int, number: int) -> Tensor:
    """(2,) from U(0, 1)."""
    return torch.rand(2, generator=generator("masked", seed, number))


def _within(u: Tensor, side: int) -> Tensor:
    """Which of so many pixels lie in a hole of half of them, at u (n,) in [0, 1): (n, side)."""
    size = side // 2
    first = (u * (side - size + 1)).long()[:, None]
    at = torch.arange(side)
    return (first <= at) & (at < first + size)
