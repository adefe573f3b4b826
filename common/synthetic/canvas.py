"""Images that are each made of their number, and such canvases, on which clothes lie."""

from collections.abc import Callable, Sequence
from itertools import cycle
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganlib.common.data.spec import Lazy
from ganlib.common.pictures import hsv
from ganlib.common.seeds import generator

AREA = 1400  # pixels of a canvas for each item
TINTS = 48
LIGHT = (1.0, 0.55)  # how bright fabric of full and of no brightness is, in parts of the tint
SHADOW = 0.35  # its darkness, and where it falls, in parts of an item's side
OFFSET = 0.06
TRACE = 16  # what is no brighter is no cloth
LEVELS = np.arange(256)
SHADE = (SHADOW * LEVELS).astype(np.uint8)
INSIDE = (255 * (LEVELS > 127)).astype(np.uint8)

Pixels = NDArray[np.uint8]


class Made(Lazy):
    """Images or ids of this shape (N, C, H, W); make: of a number, (C, H, W)."""

    def __init__(self, make: Callable[[int], NDArray[Any]], *shape: int) -> None:
        self.make, self.shape = make, shape

    def __getitem__(self, index: Tensor) -> Tensor:
        return torch.from_numpy(np.stack([self.make(number) for number in index.tolist()]))


class Placed(NamedTuple):
    """An item on a canvas: its number, tint, side and upper left corner, the latter in pixels."""

    item: int
    tint: int
    side: int
    left: int
    top: int


class Wardrobe:
    """Items of clothing, grey and square on black, uint8 (N, S, S), and their classes (N,), for
    canvases `size` high and `aspect` times as wide.
    """

    def __init__(self, items: Pixels, labels: Sequence[int], seed: int, aspect: int = 1) -> None:
        self.items, self.labels, self.seed, self.aspect = items, labels, seed, aspect
        self.masks, self.tints = masks(items), tints()

    def placed(self, size: int, index: int) -> list[Placed]:
        """What lies on a canvas, from the lowest up: as many as its area is worth, give or take a
        quarter.
        """
        random = generator("wardrobe", self.seed, index)
        spread = 0.75 + 0.5 * torch.rand((), generator=random).item()
        width = self.aspect * size
        n = max(1, round(size * width / AREA * spread))
        # in no cell there are two, so that no corner stays empty
        rows, columns = ceil((n / self.aspect) ** 0.5), ceil((n * self.aspect) ** 0.5)
        where = torch.randperm(rows * columns, generator=random)[:n].tolist()
        numbers = torch.rand(n, 5, generator=random).tolist()
        found = []
        for cell, u in zip(where, numbers, strict=True):
            row, column = divmod(cell, columns)
            middle = size / rows * (row + u[4]), width / columns * (column + u[3])
            side = round(self.items.shape[1] * 2 ** (2 * u[2] - 1))
            top, left = (round(at - side / 2) for at in middle)
            item, tint = int(u[0] * len(self.items)), int(u[1] * TINTS)
            found.append(Placed(item, tint, side, left, top))
        return found

    def image(self, size: int, index: int) -> Pixels:
        """(3, size, aspect * size)."""
        canvas = self._ground(size, index)
        for one in self.placed(size, index):
            cover, down = self._sized(self.masks, one), round(OFFSET * one.side)
            shadow = Image.fromarray(SHADE.take(cover))
            canvas.paste((0, 0, 0), (one.left + down, one.top + down), shadow)
            cloth = self.tints[one.tint].take(self._sized(self.items, one), 0)
            canvas.paste(Image.fromarray(cloth), (one.left, one.top), Image.fromarray(cover))
        return np.ascontiguousarray(np.asarray(canvas).transpose(2, 0, 1))

    def ids(self, size: int, index: int) -> NDArray[np.int32]:
        """(2, size, aspect * size): the class of what lies uppermost, 0 for the ground, and its
        number from the lowest up, from 1.
        """
        canvas = Image.new("I", (self.aspect * size, size))
        placed = self.placed(size, index)
        for number, one in enumerate(placed, 1):
            inside = INSIDE.take(self._sized(self.masks, one))
            canvas.paste(number, (one.left, one.top), Image.fromarray(inside))
        instances = np.asarray(canvas, np.int32)
        classes = np.array([0, *(1 + self.labels[one.item] for one in placed)], np.int32)
        return np.stack([classes[instances], instances])

    def _sized(self, images: Pixels, one: Placed) -> Pixels:
        image = Image.fromarray(images[one.item])
        return np.asarray(image.resize((one.side, one.side), Image.Resampling.BICUBIC))

    def _ground(self, size: int, index: int) -> Image.Image:
        """From one pale colour to another, downwards."""
        u = torch.rand(4, generator=generator("ground", self.seed, index)).tolist()
        ends = [hsv(u[0], 0.1 + 0.15 * u[1], 0.95), hsv(u[2], 0.1 + 0.15 * u[3], 0.8)]
        rows = np.linspace(np.array(ends[0]), np.array(ends[1]), size).round().astype(np.uint8)
        whole = self.aspect * size, size
        return Image.fromarray(rows[:, None]).resize(whole, Image.Resampling.NEAREST)


def masks(items: Pixels) -> Pixels:
    """How much of each pixel an item covers, 0 to 255: all that it has something of on all four
    sides of, for prints may be as black as the ground.
    """
    result = np.full_like(items, 255)
    for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
        way = (slice(None),) * axis + (slice(None, None, step),)
        np.minimum(result[way], np.maximum.accumulate(items[way], axis), out=result[way])
    # of the faintest traces nothing, and soon all
    return (np.clip(result, TRACE, TRACE + 31) - TRACE) * 8 + (result > TRACE) * np.uint8(7)


def tints() -> NDArray[np.uint8]:
    """(TINTS, 256, 3): the colours of fabrics by brightness."""
    kinds = zip(range(TINTS), cycle((0.35, 0.6, 0.8)), cycle((0.95, 0.8, 0.6, 1.0)), strict=False)
    colours = np.array([hsv(i / TINTS, *kind) for i, *kind in kinds])
    light = np.linspace(LIGHT[1], LIGHT[0], 256)[:, None]
    return (colours[:, None] * light).round().astype(np.uint8)
