"""Images of any other program as a stream of batches, to be scored as ours are."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.errors import UserError
from common.sources import HDF5, open_stream
from evaluation.blocks import BLOCK

CHANNELS = (1, 3)


def open_images(path: Path, split: str = "train") -> Iterator[Tensor]:
    """Batches NCHW, uint8 or float in [-1, 1], of a folder, an .npz, .npy or .h5 file, or of a data
    set by its name.

    A folder's images must be squares of one size: nothing is resized here. Of an .npz file the
    first array with four dimensions is taken, NHWC or NCHW. UserError if there are no images.
    """
    path = path.expanduser()
    if path.suffix.lower() in (".npz", ".npy"):
        return _batches(path)
    if path.is_file() and path.suffix.lower() not in HDF5:
        raise UserError(f"{path} holds no images: give a folder, an .npz, .npy or .h5 file.")
    return _streamed(path, split)


def _streamed(path: Path, split: str) -> Iterator[Tensor]:
    stream = open_stream(str(path), split=split)
    size = stream.provenance.get("size", "as in the files") if path.is_dir() else ""
    if size and size != "as in the files":
        raise UserError(
            f"The images in {path} are not squares of one size: bring them all to one size first."
        )
    return (block.x for block in stream.blocks)


def _batches(path: Path) -> Iterator[Tensor]:
    array = _array(path)
    if array.ndim != 4 or not len(array):
        raise UserError(
            f"{path} has an array {array.shape}: give images as (N, H, W, C) or (N, C, H, W)."
        )
    if array.dtype not in (np.uint8, np.float16, np.float32, np.float64):
        raise UserError(f"{path} has an array of {array.dtype}: give uint8, or floats in [-1, 1].")
    if array.shape[1] not in CHANNELS and array.shape[3] in CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    starts = range(0, len(array), BLOCK)
    return (torch.from_numpy(array[i : i + BLOCK].copy()) for i in starts)


def _array(path: Path) -> NDArray[Any]:
    """The images of an .npy or .npz file; nothing in it is unpickled."""
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            found = ((name, file[name]) for name in file.files)
            images = next((array for _, array in found if array.ndim == 4), None)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as an array of images: {error}.") from error
    if images is None:
        raise UserError(f"{path} holds no array of images: give one (N, H, W, C) of uint8.")
    return np.asarray(images)
