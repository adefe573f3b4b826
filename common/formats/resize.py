"""Images of another size than was asked for, brought to that size when they are looked at; what
becomes of those that are not square or smaller; and lower resolutions, each pixel a block's mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.data import DataSet, Images, Shape, Size
from ganlib.common.data.spec import Lazy, Readable, SourceKind, resize_ids, resize_pixels
from ganlib.common.errors import UserError

Fit = Literal["crop", "pad", "stretch"]
WORDS = {"crop": "cropped at the centre", "pad": "padded with black", "stretch": "stretched"}


class Sizing(NamedTuple):
    """How images become squares of a side that was asked for.

    fit: "crop", the middle once the shorter side has it; "pad", black around the whole image once
    the longer side has it; "stretch", each side for itself. enlarge: also images of which a side
    must grow for that; else they are left out.
    """

    fit: Fit = "crop"
    enlarge: bool = True

    def grows(self, sides: Sequence[int], side: int) -> bool:
        """Whether an image of these sides must be enlarged."""
        return (max(sides) if self.fit == "pad" else min(sides)) < side

    def scaled(self, sides: Sequence[int], of: Sequence[int], side: int) -> list[int]:
        """These sides, of an image or of what belongs to one with the sides `of`, before it is
        cropped or padded.
        """
        if self.fit == "stretch":
            return [max(1, side * n // m) for n, m in zip(sides, of, strict=True)]
        whole = max(of) if self.fit == "pad" else min(of)
        return [max(1, side * n // whole) for n in sides]

    def words(self, sides: Sequence[int], side: int) -> list[str]:
        """What happens to an image of these sides."""
        words = ["enlarged"] if self.grows(sides, side) else []
        return words + [WORDS[self.fit]] * (len(set(sides)) > 1)


CROPPED = Sizing()


class Resized(Lazy):
    """Square images of side `size` out of images of any one size; or what belongs to them, out of
    what belongs to images of the size `of` (H, W), brought to a square as those are.
    """

    def __init__(
        self,
        images: Images,
        size: int,
        of: Size | None = None,
        kind: SourceKind = "image",
        sizing: Sizing = CROPPED,
    ) -> None:
        self.images, self.size, self.kind, self.sizing = images, size, kind, sizing
        self.of: tuple[int, ...] = of or images.shape[2:]
        # `size` where the images are as large as `of`
        sides = (max(1, size * n // m) for n, m in zip(images.shape[2:], self.of, strict=True))
        self.shape = (*images.shape[:2], *sides)

    def __getitem__(self, index: Tensor) -> Tensor:
        x = self.images[index]
        height, width = self.sizing.scaled(x.shape[2:], self.of, self.size)
        if (height, width) != x.shape[2:]:
            resize = resize_ids if self.kind == "ids" else resize_pixels
            x = resize(x, (height, width))
        return _middle(x, self.shape[2:])


def resized(data: DataSet, size: int | None, sizing: Sizing = CROPPED) -> DataSet:
    """`data` with images (C, size, size); with size None, or if they are so already, as it is.

    Images that are there in that size are taken as they are. Sources keep their proportion to the
    images.
    """
    if size is None or data.shape[1:] == (size, size):
        return data
    if size in data.smaller and data.source is None:
        return _taken(data, size)
    note = f"{data.shape[2]}x{data.shape[1]} to {size}x{size}, bicubic"
    note = ", ".join([note, *sizing.words(data.shape[1:], size)])
    source = data.source
    if source is not None:
        source = Resized(source, size, data.shape[1:], data.source_kind, sizing)
    return replace(
        data,
        x=Resized(data.x, size, sizing=sizing),
        source=source,
        provenance={**data.provenance, "resized": note},
        smaller={},
    )


def _taken(data: DataSet, size: int) -> DataSet:
    images = data.smaller[size]
    if isinstance(data.x, Tensor) and isinstance(images, Readable):
        images = images.at_once()
    note = f"{data.shape[2]}x{data.shape[1]} to {size}x{size}, means over areas"
    return replace(
        data,
        x=images,
        provenance={**data.provenance, "resized": note},
        smaller={side: less for side, less in data.smaller.items() if side < size},
    )


def _middle(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """So many pixels around the middle, 0 where there are none."""
    more_high, more_wide = (m - n for n, m in zip(x.shape[2:], size, strict=True))
    top, left = round(more_high / 2), round(more_wide / 2)
    return F.pad(x, (left, more_wide - left, top, more_high - top))


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
        sums = reduce(add, [sums[..., i::k, :] for i in range(k)])
        sums = reduce(add, [sums[..., i::k] for i in range(k)])
        yield ((sums + n // 2) // n).to(torch.uint8)
