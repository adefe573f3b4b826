"""Checksums in an HDF5 file: the CRC-32 of each image, source and label, little-endian as it lies
there; /train/crc32/images has those of /train/images.

What is contiguous, or packed by lzf, has no other: a byte that a disk or a copy changed would be
trained on.
"""

from math import prod
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_checks import find_dataset, wrong

GROUP = "crc32"
SHOWN = 3  # numbers in a sentence


def checksums(values: NDArray[Any]) -> NDArray[np.uint32]:
    """(n,) of values (n, ...)."""
    rows = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    flat = rows.reshape(len(rows), prod(rows.shape[1:]))
    return np.fromiter((crc32(row.data) for row in flat), np.uint32, len(flat))


def has_checksums(file: Any, key: str) -> bool:
    """Whether there are some of the dataset `key`: other programs, and ganlib once, write none."""
    return find_dataset(file, _place(key)) is not None


def verify(file: Any, key: str, values: NDArray[Any], first: int = 0) -> None:
    """UserError unless the values from the number `first` on are as they were written."""
    refuse(file, key, changed(file, key, values, first))


def changed(file: Any, key: str, values: NDArray[Any], first: int) -> list[int]:
    """The numbers of those that are not, as far as that is known."""
    sums, end = find_dataset(file, _place(key)), first + len(values)
    if sums is None:
        return []
    if sums.dtype != np.uint32 or sums.ndim != 1 or len(sums) < end:
        raise wrong(file, _place(key), f"must be uint32 (N,), a checksum for each of /{key}")
    found: list[int] = (first + np.flatnonzero(checksums(values) != sums[first:end])).tolist()
    return found


def refuse(file: Any, key: str, numbers: list[int]) -> None:
    """UserError if there are numbers of values that are not as they were written."""
    if numbers:
        which = ", ".join(map(str, numbers[:SHOWN])) + (", ..." if len(numbers) > SHOWN else "")
        raise UserError(
            f"{file.filename} is damaged: of /{key}, {len(numbers):,} are not as they were written "
            f"(number {which}). Write the file anew, or, if you have changed it yourself, delete "
            f"/{_place(key)} in it."
        )


def _place(key: str) -> str:
    split, _, rest = key.partition("/")
    return f"{split}/{GROUP}/{rest}"
