"""Images of another size than was asked for, brought to that size when they are looked at."""

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from ganlib.common.data import DataSet, Images, Size
from ganlib.common.datasets._sizing import CROPPED, Sizing
from ganlib.common.spec import Readable, SourceKind, resize_ids, resize_pixels


class Resized:
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

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W) of the result: H and W are `size` where the images are as large as `of`."""
        sides = zip(self.images.shape[2:], self.of, strict=True)
        return (*self.images.shape[:2], *(max(1, self.size * n // of) for n, of in sides))

    def __len__(self) -> int:
        return len(self.images)

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


def square(x: Tensor, size: int) -> Tensor:
    """uint8 (n, C, H, W) to (n, C, size, size): the shorter side resized to `size`, the middle."""
    height, width = (size * side // min(x.shape[2:]) for side in x.shape[2:])
    if (height, width) != x.shape[2:]:
        x = resize_pixels(x, (height, width))
    return _middle(x, (size, size))


def _middle(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """So many pixels around the middle, 0 where there are none."""
    (top, bottom), (left, right) = (_ends(n, m) for n, m in zip(x.shape[2:], size, strict=True))
    return F.pad(x, (-left, -right, -top, -bottom))


def _ends(n: int, m: int) -> tuple[int, int]:
    first = round((n - m) / 2)
    return first, n - m - first
