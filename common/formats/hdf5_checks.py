"""What lies in an HDF5 file that anybody may have made, looked at before any of it is read.

All that is read must lie in the file itself: links and storage outside it would show the contents
of any other file as images. And it must be there: a dataset may claim more than fits in memory.

And it must be as it was written, by checksums: the CRC-32 of each image, source and label,
little-endian as it lies there; /train/crc32/images has those of /train/images. What is contiguous,
or packed by lzf, has no other: a byte that a disk or a copy changed would be trained on.
"""

import os
from contextlib import AbstractContextManager
from math import prod
from pathlib import Path
from typing import Any
from zlib import crc32

import h5py
import numpy as np
from numpy.typing import NDArray

from ganlib.common.errors import UserError, one_line
from ganlib.common.io.files import as_user_error
from ganlib.common.io.memory import GIB, available_memory

MAX_CHUNK = 4 * GIB  # bytes; to read one image, its whole chunk is decompressed
MAX_LINKS = 16  # that are followed to one thing
SHOWN = 3  # numbers in a sentence
GROUP = "crc32"
ADVICE = "`python -m ganlib data prepare NAME OUT.h5` writes a right one."


def sentences(path: Path) -> AbstractContextManager[None]:
    """What h5py makes of a damaged file, which may be any error, as a UserError."""

    def words(error: Exception) -> str:
        if isinstance(error, OSError) and error.errno is not None:
            return f"{path} cannot be read: {os.strerror(error.errno)}."
        what = f"is not an HDF5 file, or is damaged or cut off ({one_line(error)})"
        return f"{path} {what}; {ADVICE}"

    return as_user_error(words)


def wrong(file: Any, key: str, what: str) -> UserError:
    """The error that says what is wrong with `key` of `file`."""
    return UserError(f"{file.filename}: /{key} {what}; {ADVICE}")


def find(file: Any, key: str) -> Any:
    """The group or dataset `key`, None if there is none; UserError if it lies in another file."""
    links, parts, here = 0, key.encode().split(b"/"), file
    while parts:
        name, *parts = parts
        if not isinstance(here, h5py.Group) or not here.id.links.exists(name):
            return None
        kind = here.id.links.get_info(name).type
        if kind == h5py.h5l.TYPE_HARD:
            here = here[name]
        elif kind == h5py.h5l.TYPE_SOFT and links < MAX_LINKS:
            path, links = here.id.links.get_val(name), links + 1
            here = file if path.startswith(b"/") else here
            parts = [part for part in path.split(b"/") if part not in (b"", b".")] + parts
        else:
            raise wrong(file, key, "is a link out of this file, or one that leads nowhere")
    return here


def find_dataset(file: Any, key: str) -> Any:
    """The dataset `key`, None if there is none; UserError unless all of it is in the file."""
    found = find(file, key)
    if found is None:
        return None
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise wrong(file, key, "is not a dataset with values")
    plan = found.id.get_create_plist()
    if plan.get_external_count() or plan.get_layout() == h5py.h5d.VIRTUAL:
        raise wrong(file, key, "lies in other files, and only what is in this one is read")
    for i in range(plan.get_nfilters()):
        code, _, _, name = plan.get_filter(i)
        if not h5py.h5z.filter_avail(code):
            raise wrong(file, key, f"is packed by filter {code} ({text(name)}), not installed here")
    if found.chunks is not None:
        _check_chunks(file, key, found)
    elif plan.get_layout() == h5py.h5d.CONTIGUOUS and prod(found.shape):
        offset = found.id.get_offset()
        if offset is None or offset + found.nbytes > Path(file.filename).stat().st_size:
            raise wrong(file, key, "claims more values than are in the file")
    return found


def values(file: Any, key: str, found: Any) -> Any:
    """All values of the dataset `found`; UserError if they take too much memory."""
    if found.nbytes > available_memory() / 2:
        raise wrong(file, key, f"takes {found.nbytes / GIB:,.1f} GiB, more than half of memory")
    return found[()]


def attribute(file: Any, key: str, owner: Any, default: Any) -> Any:
    """One number or text; UserError if it is anything else."""
    if key not in owner.attrs:
        return default
    place = owner.attrs.get_id(key)
    is_text = h5py.check_string_dtype(place.dtype) is not None
    if place.shape != () or not (is_text or place.dtype.kind in "iufb"):
        raise wrong(file, f"{owner.name.strip('/')}@{key}", "must be one number or text")
    value = owner.attrs[key]
    return text(value) if is_text else value.item()


def text(value: Any) -> str:
    """A string as h5py or a file's name gives it, with a sign in place of what is not Unicode."""
    raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "replace")


def _check_chunks(file: Any, key: str, found: Any) -> None:
    """UserError if a chunk is too large, or if there are fewer than the shape asks for."""
    size = prod(found.chunks) * found.dtype.itemsize
    if size > min(MAX_CHUNK, available_memory() / 2):
        raise wrong(file, key, f"has chunks of {size / GIB:,.1f} GiB, too large to be read")
    wanted = prod(-(-n // m) for n, m in zip(found.shape, found.chunks, strict=True))
    if found.id.get_num_chunks() < wanted:
        raise wrong(file, key, "claims more values than are in the file")


def checksums(values: NDArray[Any]) -> NDArray[np.uint32]:
    """(n,) of values (n, ...)."""
    rows = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    flat = rows.reshape(len(rows), prod(rows.shape[1:]))
    return np.fromiter((crc32(row.data) for row in flat), np.uint32, len(flat))


def verify(file: Any, key: str, values: NDArray[Any], first: int = 0) -> None:
    """UserError unless the values from the number `first` on are as they were written."""
    refuse(file, key, changed(file, key, values, first))


def changed(file: Any, key: str, values: NDArray[Any], first: int) -> list[int]:
    """The numbers of those that are not, as far as that is known."""
    sums, end = find_dataset(file, place_of(key)), first + len(values)
    if sums is None:
        return []
    if sums.dtype != np.uint32 or sums.ndim != 1 or len(sums) < end:
        raise wrong(file, place_of(key), f"must be uint32 (N,), a checksum for each of /{key}")
    found: list[int] = (first + np.flatnonzero(checksums(values) != sums[first:end])).tolist()
    return found


def refuse(file: Any, key: str, numbers: list[int]) -> None:
    """UserError if there are numbers of values that are not as they were written."""
    if numbers:
        which = ", ".join(map(str, numbers[:SHOWN])) + (", ..." if len(numbers) > SHOWN else "")
        raise UserError(
            f"{file.filename} is damaged: of /{key}, {len(numbers):,} are not as they were written "
            f"(number {which}). Write the file anew, or, if you have changed it yourself, delete "
            f"/{place_of(key)} in it."
        )


def place_of(key: str) -> str:
    """Where the checksums of the dataset `key` lie."""
    split, _, rest = key.partition("/")
    return f"{split}/{GROUP}/{rest}"
