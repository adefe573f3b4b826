"""Arrays of images in .npy and .npz files, and their labels, looked at before any memory is asked
for.
"""

import zipfile
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ganlib.common.data import DataSet
from ganlib.common.data.in_memory import as_dataset
from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.errors import UserError, one_line
from ganlib.common.io.files import as_user_error, regular
from ganlib.common.io.memory import require_memory

ARRAYS = (".npz", ".npy")
TYPES = (np.uint8, np.float16, np.float32, np.float64)
LABELS = "labels.npy"
"""The member of an .npz file that np.savez(..., labels=y) makes."""
ADVICE = "give an .npy file, which is read bit by bit, or fewer images."
TO_TRAIN_ON = (
    "give fewer or smaller images, or an .h5 file of them, as `ganlib data prepare` makes it of a "
    "folder."
)
VERSION = (1, 0)
"""Of plain numbers; only a later one can ask for more memory than 64 KiB for its header."""


class Header(NamedTuple):
    """What an array says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def open_array(path: Path) -> NDArray[Any]:
    """The images (N, ., ., .) in an .npy file, which is read as it is used, or in the first array
    with four dimensions of an .npz file, whose other members are not read. Nothing is unpickled.

    UserError if there are none, they are no uint8 or floats, the file holds less than it says, or
    it takes more than half of the memory that there is.
    """

    def words(error: Exception) -> str:
        why = one_line(error) or type(error).__name__
        return f"{path} cannot be read as an array of images: {why}."

    # NumPy and zipfile have many names for a file that is not right
    with as_user_error(words), regular(path).open("rb") as file:
        if path.suffix.lower() != ".npy":
            return _npz(path, file)
        _check(path, _header(file), path.stat().st_size - file.tell())
        return npy.open_memmap(path, mode="r")


def open_labels(path: Path, n: int) -> NDArray[Any] | None:
    """The array `labels` of an .npz file, int64 (n,); None if there is none of n integers."""
    if path.suffix.lower() != ".npz":
        return None
    try:
        with zipfile.ZipFile(path) as archive, archive.open(LABELS) as content:
            shape, dtype = _header(content)
            if shape != (n,) or dtype.kind not in "iu":
                return None
            content.seek(0)
            return npy.read_array(content, allow_pickle=False).astype(np.int64)
    except Exception:  # NumPy and zipfile have many names for a file that is not right
        return None


def _npz(path: Path, file: IO[bytes]) -> NDArray[Any]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.filename.endswith(".npy"):
                with archive.open(member) as content:
                    header = _header(content)
                    if len(header.shape) == 4:
                        _check(path, header, member.file_size - content.tell())
                        require_memory(str(path), header.nbytes, ADVICE)
                        content.seek(0)
                        return npy.read_array(content, allow_pickle=False)
    raise UserError(f"{path} holds no array of images: give one (N, H, W, C) of uint8.")


def _header(file: IO[bytes]) -> Header:
    """The file is left where the numbers start."""
    if npy.read_magic(file) != VERSION:
        raise ValueError("it holds more than plain numbers")
    shape, _, dtype = npy.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not unpickled")
    return Header(shape, dtype)


def _check(path: Path, header: Header, there: int) -> None:
    """UserError unless these are images, and as many bytes as they take are there."""
    shape, dtype = header
    if len(shape) != 4 or min(shape) < 1:
        raise UserError(
            f"{path} has an array {shape}: give images as (N, H, W, C) or (N, C, H, W)."
        )
    if dtype not in TYPES:
        raise UserError(f"{path} has an array of {dtype}: give uint8, or floats in [-1, 1].")
    if header.nbytes > there:
        raise UserError(
            f"{path} is damaged or cut off: its array {shape} of {dtype} takes "
            f"{header.nbytes:,} bytes, and {max(0, there):,} are there."
        )


def load(root: Path, split: str, size: int | None) -> DataSet:
    """The images at their own size, all of them for training, otherwise as as_dataset() takes
    arrays; root is the file.
    """
    if split == "test":
        raise NoSuchSplit(f"{root} has no test images, as all of it is for training.")
    images = open_array(root)
    if root.suffix.lower() == ".npy":  # which is only looked into so far
        require_memory(root.name, images.nbytes, TO_TRAIN_ON)
        images = np.require(images, requirements="W")
    labels = open_labels(root, len(images))
    data = as_dataset(images if labels is None else (images, labels))
    return replace(data, name=root.stem, provenance={"file": str(root.resolve())})
