"""Images cut out of larger ones, or enlarged and cut to their size again, at places.

A place is (u, v) from U(0, 1): how far down and how far to the right, (1/2, 1/2) in the middle.
Images and the sources that they are paired with are cut on one grid of cells, the finest that both
have: cell (i, j) of one shows what cell (i, j) of the other shows. Of sources of a quarter of the
size, a cell is one pixel, and 4 x 4 pixels of the image; of equal sizes, it is one pixel of both.
"""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from math import gcd
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from ganlib.common.data.spec import DataSet, Images, Lazy, Size, resize_ids, resize_pixels
from ganlib.common.data.transfer import place, upload
from ganlib.common.errors import UserError, one_line
from ganlib.common.io.files import as_user_error

T = TypeVar("T")


class Croppable(Lazy):
    """Images that are cut out of larger ones, in the middle by images[index]."""

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.crops(index, centres(len(index)))

    @abstractmethod
    def crops(self, index: Tensor, places: Tensor) -> Tensor:
        """uint8 (n, C, H, W), like images[index] but at these places (n, 2)."""


@runtime_checkable
class Uncut(Images, Protocol):
    """Images that are cut out of larger ones, which can be looked at."""

    def uncut(self, index: Tensor, look: Callable[[Tensor], T]) -> tuple[Tensor, list[T]]:
        """images[index], and what `look` makes of each image (C, h, w) that they are cut out of."""
        ...


class Crops(Croppable):
    """Crops of `size` (H, W) out of images of one size, between the cells of `grid`.

    grid: how many cells an image is high and wide; they divide its sides, and those of a crop are
    whole cells. Out of a tensor, crops lie on its device.
    """

    def __init__(self, images: Images, size: Size, grid: Size) -> None:
        self.images, self.size, self.grid = images, size, grid
        self.shape = (*images.shape[:2], *size)
        sides = images.shape[2:]
        self._steps = tuple(side // cells for side, cells in zip(sides, grid, strict=True))
        free = (side - cut for side, cut in zip(sides, size, strict=True))
        self._free = tuple(f // step for f, step in zip(free, self._steps, strict=True))

    def uncut(self, index: Tensor, look: Callable[[Tensor], T]) -> tuple[Tensor, list[T]]:
        """See Uncut."""
        return self[index], [look(self.images[number][0]) for number in index[:, None]]

    def crops(self, index: Tensor, places: Tensor) -> Tensor:
        """uint8 (n, C, *size) at the places (n, 2)."""
        if isinstance(self.images, Tensor):
            images, index = self.images, upload(index, self.images.device)
        else:
            images, index = self.images[index], torch.arange(len(index))
        first = corners(upload(places, images.device), self._free, self._steps)
        return _cut(images, index, first, self.size)


class Jitter:
    """Images made `more` pixels higher and wider, and cut to their size again.

    size: (H, W) of the images. grid: the cells that they have in common with their sources, which
    grow by the same factor. UserError if `more` is above a side, or no whole cells.
    """

    def __init__(self, more: int, size: Size, grid: Size) -> None:
        if more > min(size):
            raise UserError(
                f"jitter is {more}, but the networks see {size[1]}x{size[0]} pixels: give at most "
                f"{min(size)}, which leaves a quarter of an image."
            )
        for side, cells in zip(size, grid, strict=True):
            if more * cells % side:
                raise UserError(
                    f"jitter is {more}, but these sources allow multiples of {side // cells} only: "
                    f"so many pixels of an image of {side} are whole ones of its source."
                )
        self.grid = grid
        self._free = tuple(more * cells // side for side, cells in zip(size, grid, strict=True))

    def __call__(self, x: Tensor, places: Tensor, ids: bool = False) -> Tensor:
        """Images, sources or `ids` (n, C, h, w) at the places (n, 2), of the same shape."""
        n, _, height, width = x.shape
        steps = height // self.grid[0], width // self.grid[1]
        larger = height + self._free[0] * steps[0], width + self._free[1] * steps[1]
        x = resize_ids(x, larger) if ids else resize_pixels(x, larger)
        first = corners(places, self._free, steps)
        return _cut(x, torch.arange(n, device=x.device), first, (height, width))


def centres(n: int) -> Tensor:
    """The places (n, 2) in the middle."""
    return torch.full((n, 2), 0.5)


def corners(
    places: Tensor, free: tuple[int, ...], steps: tuple[int, ...] = (1, 1)
) -> tuple[Tensor, Tensor]:
    """The first row and the first column (n,) at the places (n, 2), in pixels.

    free: so many cells, of `steps` pixels, a crop can go down and right; 0 to all of them are
    equally likely. Of an odd number in the middle, one more than half.
    """
    # the product may be rounded up to free + 1
    down, right = ((places[:, i] * (free[i] + 1)).long().clamp(max=free[i]) for i in (0, 1))
    return down * steps[0], right * steps[1]


def cropped(data: DataSet, size: int) -> DataSet:
    """`data` as crops of size x size, and of what corresponds to them in the sources; as it is if
    the images are so large.

    UserError if the images are smaller, or if crops of their sources would not be whole pixels.
    """
    height, width = data.shape[1:]
    if (height, width) == (size, size):
        return data
    if min(height, width) < size:
        raise UserError(
            f"The images of '{data.name}' are {width}x{height} and a crop is {size}x{size}: "
            "give a smaller crop."
        )
    source, grid = data.source, (height, width)
    if source is not None:
        grid = common_grid((height, width), source.shape[2:])
        sizes = []
        for side, other, cells in zip((height, width), source.shape[2:], grid, strict=True):
            if size % (step := side // cells):
                raise UserError(
                    f"A crop of {size} pixels is no whole pixels of the sources of '{data.name}': "
                    f"give a multiple of {step}."
                )
            sizes.append(size // step * (other // cells))
        source = Crops(source, (sizes[0], sizes[1]), grid)
    note = f"{size}x{size} out of {width}x{height}, the middle where none is drawn"
    return replace(
        data,
        x=Crops(data.x, (size, size), grid),
        source=source,
        provenance={**data.provenance, "crops": note},
        smaller={},
    )


def common_grid(size: tuple[int, ...], source: tuple[int, ...] | None) -> Size:
    """The finest cells that images and sources (H, W) have in common, pixels without sources."""
    (height, width), other = size, source or size
    return gcd(height, other[0]), gcd(width, other[1])


def placed(images: Images, device: torch.device) -> Images:
    """As transfer.place does, also what crops are cut out of."""
    if isinstance(images, Crops):
        return Crops(place(images.images, device), images.size, images.grid)
    return place(images, device)


def read(images: Images, index: Tensor, places: Tensor | None = None) -> Tensor:
    """images[index], or their crops at these places (n, 2) if they are crops and places are given;
    UserError if they cannot be read.
    """
    with readable():
        if places is not None and isinstance(images, Croppable):
            return images.crops(index, places)
        return images[index]


def readable() -> AbstractContextManager[None]:
    """What goes wrong inside, where images are read, becomes a UserError."""
    # what other people's files and code raise is no fixed set
    return as_user_error(lambda e: f"Images could not be read: {type(e).__name__}: {one_line(e)}")


def in_memory(images: Images) -> bool:
    """Whether the images, or what they are cut out of, are a tensor."""
    return isinstance(images.images if isinstance(images, Crops) else images, Tensor)


def _cut(x: Tensor, index: Tensor, first: tuple[Tensor, Tensor], size: Size) -> Tensor:
    """Images index (n,) of x (N, C, H, W), cut from `first` on: (n, C, *size)."""
    windows = x.unfold(2, size[0], 1).unfold(3, size[1], 1)  # all of them, without a copy
    return windows[index, :, first[0], first[1]]
