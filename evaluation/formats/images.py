"""Images of any other program as a stream of batches, to be scored as ours are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ganlib.common.data.in_memory import channels_first
from ganlib.common.errors import UserError
from ganlib.common.formats.arrays import ARRAYS, open_array, open_labels
from ganlib.common.io.files import expand
from ganlib.common.query import HDF5, DataQuery
from ganlib.evaluation.formats.blocks import BEYOND, BLOCK, Batch, Block, Range, rescale


class Pictures(NamedTuple):
    """batches: of images NCHW, uint8 or float in [-1, 1], with their labels if there are some.
    classes: what the labels' classes are called, () if they are numbers.
    """

    batches: Iterator[Batch]
    classes: tuple[str, ...] = ()


def open_images(path: Path, split: str = "train", value_range: Range | None = None) -> Pictures:
    """What a folder, an .npz, .npy or .h5 file holds, or a data set by its name.

    A folder's images must be squares of one size: nothing is resized here. Of an .npz file the
    first array with four dimensions is taken, NHWC or NCHW, and `labels`, integers (N,).
    value_range: of an array of floats; without it, UserError for one that does not look like
    [-1, 1]. UserError if there are no images.
    """
    path = expand(path)
    if path.suffix.lower() in ARRAYS:
        return Pictures(_batches(path, value_range))
    if value_range is not None:
        raise UserError(f"--range is for {' and '.join(ARRAYS)} files, and {path} is none.")
    if path.is_file() and path.suffix.lower() not in HDF5:
        raise UserError(f"{path} holds no images: give a folder, an .npz, .npy or .h5 file.")
    stream = DataQuery(str(path), split=split).stream()
    if stream.resized:
        raise UserError(
            f"The images in {path} are not squares of one size: bring them all to one size first."
        )
    return Pictures((Block(block.x, block.y) for block in stream.blocks), stream.classes)


def _batches(path: Path, value_range: Range | None) -> Iterator[Batch]:
    array = open_array(path)
    _check_range(path, array, value_range)
    batches = (channels_first(torch.from_numpy(part.copy())) for part in _parts(array))
    if value_range is not None:
        batches = (rescale(batch, value_range) for batch in batches)
    labels = open_labels(path, len(array))
    if labels is None:
        return batches
    return map(Block, batches, map(torch.from_numpy, _parts(labels)))


def _parts(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (array[i : i + BLOCK] for i in range(0, len(array), BLOCK))


def _check_range(path: Path, array: NDArray[Any], value_range: Range | None) -> None:
    """UserError for a range of uint8, or for floats without one of which the first block does not
    look like [-1, 1].
    """
    if value_range is not None and array.dtype == np.uint8:
        raise UserError(f"{path} holds uint8, whose range is known: leave --range out.")
    if value_range is not None or array.dtype == np.uint8:
        return
    low, high = float(array[:BLOCK].min()), float(array[:BLOCK].max())
    if low >= 0 or max(-low, high) > BEYOND:  # false for NaN
        raise UserError(
            f"{path} holds floats from {low:.4g} to {high:.4g}, and floats are taken to be in "
            "[-1, 1]: say what black and white are with --range 0,1 or 0,255, or -1,1 if the "
            "images are meant so."
        )
