"""Images of any program, from folders, files and arrays, on their way to an extractor: checked, in
blocks of one length, as uint8.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganlib.common.data import Images
from ganlib.common.data.in_memory import channels_first
from ganlib.common.data.spec import w_by_h
from ganlib.common.errors import UserError
from ganlib.common.formats.arrays import ARRAYS, open_array, open_labels
from ganlib.common.io.files import expand
from ganlib.common.pictures import levels, to_uint8
from ganlib.common.query import HDF5, DataQuery

BLOCK = 256
"""A network may give other last bits for other batch sizes, so it only ever sees this one."""
Range: TypeAlias = tuple[float, float]
"""The values that are black and white in float images."""
Batch: TypeAlias = Tensor | tuple[Tensor, Tensor | None]
"""Images NCHW, alone or with the labels that they were asked for: int64 (N,), or None."""
BEYOND = 2.0  # floats of larger size are no images in [-1, 1], even by a generator without tanh


class Block(NamedTuple):
    """Images NCHW and, if they were asked for any, their labels, int64 (N,)."""

    images: Tensor
    labels: Tensor | None = None

    def cut(self, start: int, end: int) -> "Block":
        """The images from `start` to before `end`, with their labels."""
        labels = None if self.labels is None else self.labels[start:end]
        return Block(self.images[start:end], labels)


def as_block(batch: Batch) -> Block:
    """A batch as images and labels; UserError for labels that are not one integer per image."""
    block = Block(batch) if isinstance(batch, Tensor) else Block(*batch)
    y = block.labels
    if y is not None and (y.dtype != torch.int64 or y.shape != block.images.shape[:1]):
        raise UserError(
            f"The labels of {len(block.images)} images come as {y.dtype} {tuple(y.shape)}: give "
            "one int64 for each image, or None."
        )
    return block


def blocks(batches: Iterable[Batch], size: tuple[int, int] | None = None) -> Iterator[Block]:
    """Batches of any lengths as blocks of BLOCK images of their type; the last may be shorter.

    batches: images NCHW, all uint8 or all float, C 1 or 3, all with labels or all without. size:
    the (H, W) that they must have. UserError for other shapes, batches of different shapes, or
    uint8 and floats in one stream.
    """
    parts: list[Block] = []
    first, held = None, 0
    for batch in map(as_block, batches):
        first = batch if first is None else first
        _check_shape(batch.images, size)
        _check_alike(first, batch)
        parts.append(batch)
        held += len(batch.images)
        if held >= BLOCK:
            whole, full = _join(parts), held - held % BLOCK
            yield from (whole.cut(start, start + BLOCK) for start in range(0, full, BLOCK))
            parts, held = [whole.cut(full, held)], held - full
    if held:
        yield _join(parts)


def in_order(images: Images) -> Iterator[Tensor]:
    """Images as they lie, in blocks."""
    return (images[rows] for rows in torch.split(torch.arange(len(images)), BLOCK))


def rescale(x: Tensor, value_range: Range) -> Tensor:
    """Floats in value_range as floats in [-1, 1], uint8 as it is; UserError for values far outside
    of the range.
    """
    low, high = value_range
    if not low < high:
        raise UserError(f"The value_range is {low:g}, {high:g}: give (-1, 1), (0, 1) or (0, 255).")
    if not x.is_floating_point() or (low, high) == (-1, 1):
        return x
    y = (x.float() - low) * (2 / (high - low)) - 1
    if y.numel() and float(y.abs().max()) > BEYOND:
        raise UserError(
            f"The images have values from {float(x.min()):.4g} to {float(x.max()):.4g}, and their "
            f"range is said to be {low:g},{high:g}: give the right one."
        )
    return y


def as_uint8(x: Tensor) -> Tensor:
    """uint8 as it is; float in [-1, 1] rounded to it; UserError for what is neither."""
    if x.is_floating_point() and x.numel():
        check_extremes(extremes(x))
    return rounded(x)


def rounded(x: Tensor) -> Tensor:
    """as_uint8() without a look at the values, for which the host would wait for a GPU."""
    if x.dtype == torch.uint8:
        return x
    if not x.is_floating_point():
        raise UserError(f"The images are {x.dtype}: give uint8, or floats in [-1, 1].")
    return to_uint8(x.float())


def seen(x: Tensor, pixels: Tensor, rounding: bool) -> Tensor:
    """What extractors are given of images, in 0..255: their `pixels`, or floats as they are."""
    return pixels if rounding or x.dtype == torch.uint8 else levels(x.float())


def extremes(x: Tensor) -> Tensor:
    """The least and the largest value, float32 (2,), where the images are; of NaN both are NaN."""
    return torch.stack(x.float().aminmax())


def check_extremes(found: Tensor) -> None:
    """UserError if images with these extremes are none in [-1, 1]."""
    largest = float(found.abs().max())
    if not largest < torch.inf:  # of NaN too
        raise UserError("Some images hold NaN or infinite values: the generator has diverged.")
    if largest > BEYOND:
        raise UserError(f"The images reach {largest:.4g}: give uint8, or floats in [-1, 1].")


def _join(parts: list[Block]) -> Block:
    labels = [part.labels for part in parts if part.labels is not None]
    return Block(torch.cat([p.images for p in parts]), torch.cat(labels) if labels else None)


def _check_alike(first_block: Block, block: Block) -> None:
    first, batch = first_block.images, block.images
    if (block.labels is None) != (first_block.labels is None):
        raise UserError(
            "Some batches of the images have labels and some have none: give them for all or none."
        )
    if batch.shape[1:] != first.shape[1:]:
        raise UserError(
            f"The images are {_words(first.shape[1:])} and then {_words(batch.shape[1:])}: bring "
            "them all to one size."
        )
    if (batch.dtype == torch.uint8) != (first.dtype == torch.uint8):
        raise UserError(
            f"The images are {first.dtype} and then {batch.dtype}: give all as uint8 or all as "
            "floats, for the protocol of a score says which."
        )


def _check_shape(x: Tensor, size: tuple[int, int] | None) -> None:
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise UserError(
            f"The images come as {tuple(x.shape)}: give batches (N, C, H, W) with 1 or 3 channels."
        )
    if size is not None and x.shape[2:] != size:
        raise UserError(
            f"The images are {w_by_h(x.shape)} and the reference's are {w_by_h(size)}: "
            "bring both to one size; --size resizes the reference."
        )


def _words(shape: torch.Size) -> str:
    return "x".join(map(str, shape))


class Pictures(NamedTuple):
    """batches: of images NCHW, uint8 or float in [-1, 1], with their labels if there are some.
    classes: what the labels' classes are called, () if they are numbers.
    """

    batches: Iterator[Batch]
    classes: tuple[str, ...] = ()


def open_images(path: Path, value_range: Range | None = None) -> Pictures:
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
    stream = DataQuery(str(path)).stream()
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
