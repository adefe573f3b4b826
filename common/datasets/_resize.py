"""Images of another size than was asked for, brought to that size when they are looked at."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.data import DataSet, Images


class Resized:
    """Square images of side `size` out of images of any one size."""

    def __init__(self, images: Images, size: int) -> None:
        self.images, self.size = images, size

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, size, size)."""
        return (*self.images.shape[:2], self.size, self.size)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> Tensor:
        return square(self.images[index], self.size)


def resized(data: DataSet, size: int | None) -> DataSet:
    """`data` with images (C, size, size); with size None, or if they are so already, as it is.

    Source images as large as x go with it; others keep their size.
    """
    if size is None or data.shape[1:] == (size, size):
        return data
    source = data.source
    if source is not None and source.shape[2:] == data.shape[1:]:
        source = Resized(source, size)
    note = f"{data.shape[2]}x{data.shape[1]} to {size}x{size}, bicubic"
    provenance = {**data.provenance, "resized": note}
    return replace(data, x=Resized(data.x, size), source=source, provenance=provenance)


def square(x: Tensor, size: int) -> Tensor:
    """uint8 (n, C, H, W) to (n, C, size, size): the shorter side resized to `size`, the middle."""
    height, width = (size * side // min(x.shape[2:]) for side in x.shape[2:])
    if (height, width) != x.shape[2:]:
        x = F.interpolate(x.float(), (height, width), mode="bicubic", antialias=True)
        x = x.round_().clamp_(0, 255).to(torch.uint8)
    top, left = round((height - size) / 2), round((width - size) / 2)
    return x[:, :, top : top + size, left : left + size]
