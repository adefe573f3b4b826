"""One picture of sources and what was made of them."""

import math
from collections.abc import Sequence

import torch
from PIL import Image, ImageOps
from torch import Tensor

from ganlib.common.pictures import grid, to_uint8
from ganlib.common.pictures.colours import coloured

CELL = 128  # pixels of a side, in which the whole of each picture is shown
MOST = 64  # sources; more are too small to see


def source_cell(y: Tensor) -> Tensor:
    """A source, uint8 (C', H', W'), for side_by_side(); of int32 ids its classes in colours."""
    y = coloured(y[0]) if y.dtype == torch.int32 else y
    return cell(y.float() / 127.5 - 1)


def cell(x: Tensor) -> Tensor:
    """An image, float (C, H, W) in [-1, 1], for side_by_side(): float (3, CELL, CELL), enlarged by
    squares or made smaller, on white.
    """
    pixels = to_uint8(x).expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
    picture = Image.fromarray(pixels)
    by = Image.Resampling.NEAREST if max(picture.size) < CELL else Image.Resampling.BICUBIC
    square = ImageOps.pad(picture, (CELL, CELL), by, "white")
    flat = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8)
    return flat.reshape(CELL, CELL, 3).permute(2, 0, 1).float() / 127.5 - 1


def side_by_side(rows: Sequence[Sequence[Tensor]]) -> Image.Image:
    """Cells of sources, each before those of its outputs, in about a square of such rows."""
    each = len(rows[0])
    beside = max(1, round(math.sqrt(len(rows) / each)))
    return grid(torch.stack([one for row in rows for one in row]), beside * each)
