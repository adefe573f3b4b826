"""Sources that are made of the images themselves: a drawing, the image without its colours, ..."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganlib.common.data.crops import Croppable
from ganlib.common.data.spec import POINTS, DataSet, Images, Lazy, Shape
from ganlib.common.errors import UserError
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Block, Stream, as_stream, collect, with_pictures
from ganlib.common.query import DataQuery, Source


@dataclass(frozen=True)
class Derivation(Source):
    """How a source is made of its image.

    words: what it is, for the provenance. make: of uint8 pictures (n, C, H, W) and their numbers
    (n,), uint8 (n, C', H', W'), each a function of its own picture and number alone. multiple: what
    the sides of a picture must be multiples of.
    """

    makes = True

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

    def fit(self, data: DataSet, query: DataQuery) -> DataSet:
        return super().fit(replace(data, source=None), query)

    def add(self, data: DataSet) -> DataSet:
        """`data` with such sources, in memory where the images are."""
        kind = DerivedCrops if isinstance(data.x, Croppable) else Derived
        lazy = kind(data.x, self, data.frames)
        whole = isinstance(data.x, Tensor)
        source = collect(as_stream(DataSet(data.name, lazy))).x if whole else lazy
        return with_pictures(data, source, data.frames, {"sources": self.words})

    def stream(self, query: DataQuery, sizing: Sizing = CROPPED) -> Stream:
        stream = super().stream(query, sizing)

        def blocks() -> Iterator[Block]:
            start = 0
            for block in stream.blocks:
                index = torch.arange(start, start + len(block.x))
                yield block._replace(source=self.of(block.x, index, stream.frames))
                start += len(block.x)

        shape = self.shape(stream.shape, stream.frames)
        words = {"sources": self.words}
        return with_pictures(stream, shape, stream.frames, words, blocks=blocks(), sources=None)


class Derived(Lazy):
    """The sources (N, C', H', W') of images, each made when it is asked for."""

    def __init__(self, images: Images, by: Derivation, frames: int) -> None:
        self.images, self.by, self.frames = images, by, frames
        _, channels, height, width = images.shape
        self.shape = len(images), *by.shape((channels, height, width), frames)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.by.of(self.images[index], index, self.frames)


class DerivedCrops(Derived, Croppable):
    """The sources of crops, each of what its crop shows."""

    images: Croppable

    def crops(self, index: Tensor, places: Tensor) -> Tensor:
        """uint8 (n, C', H', W') of the crops at the places (n, 2)."""
        return self.by.of(self.images.crops(index, places), index, self.frames)
