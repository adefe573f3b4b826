"""A stream of generated images as files: a grid, an array, or a PNG for each.

Batches are float (N, C, H, W) in [-1, 1], n images in all.
"""

import math
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from ganlib.common.io.files import MARK, atomic
from ganlib.common.pictures import apart, grid, save, to_uint8


def write_grid(batches: Iterator[Tensor], n: int, path: Path, frames: int = 1) -> None:
    """One picture, 8 images wide or square if that is wider, or a row for each sequence of so many
    frames; holds all images as floats.
    """
    save(grid(apart(torch.cat([batch.cpu() for batch in batches]), frames), _columns(n)), path)


def write_plain(batches: Iterator[Tensor], n: int, path: Path, frames: int = 1) -> None:
    """The same images in one picture at their own size, with nothing between them."""
    x = apart(torch.cat([batch.cpu() for batch in batches]), frames).flatten(0, -4)
    columns = frames if frames > 1 else _columns(n)
    picture = make_grid(x, columns, padding=0, pad_value=1)
    write_image(picture[: x.shape[1]], path)  # grey is grey there too


def write_array(batches: Iterator[Tensor], n: int, labels: Tensor | None, path: Path) -> None:
    """An .npz of `images`, uint8 (n, H, W, C), and `labels`, int64 (n,), unless they are None."""
    # The temporary file first: a place that cannot be written to shows before the work is done.
    with atomic(path) as temporary:
        pixels = (image for batch in batches for image in _pixels(batch))
        first = next(pixels)
        # one array from the beginning, never two of all
        kind = np.dtype((np.uint8, first.shape))
        images = np.fromiter(chain([first], pixels), kind, n)
        arrays: dict[str, Any] = {} if labels is None else {"labels": labels.cpu().numpy()}
        with temporary.open("wb") as file:
            np.savez(file, **arrays, images=images)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.comment = MARK.encode()


def write_folder(batches: Iterator[Tensor], n: int, path: Path, frames: int = 1) -> None:
    """path/00000.png and so on, of the images' own size, frames below each other."""
    path.mkdir(exist_ok=True)
    for image, name in zip(chain.from_iterable(batches), folder_names(n), strict=True):
        write_image(image, path / name, frames)


def folder_names(n: int) -> list[str]:
    """Of the files that write_folder() writes."""
    return [f"{number:0{max(5, len(str(n - 1)))}}.png" for number in range(n)]


def write_image(image: Tensor, path: Path, frames: int = 1) -> None:
    """One float (C, H, W) in [-1, 1] as a PNG, a sequence's frames below each other."""
    pixels = _pixels(apart(image[None], frames))[0]
    save(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), path)


def _pixels(batch: Tensor) -> np.ndarray[Any, Any]:
    """float (N, C, H, W) in [-1, 1] -> uint8 (N, H, W, C); (N, T, C, H, W) -> (N, T * H, W, C)."""
    if batch.dim() == 5:
        batch = batch.transpose(1, 2).flatten(2, 3)
    pixels: np.ndarray[Any, Any] = to_uint8(batch).permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def _columns(n: int) -> int:
    return max(8, math.ceil(math.sqrt(n)))
