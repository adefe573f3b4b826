"""The writing of our HDF5 files: how a split's images lie in one, and a full disk as an error like
any other.

gzip takes the least room and is for what is read at once, into memory. Where single images are
read, in any order, it is far too slow: lzf is 5 to 10 times as fast, and what is contiguous, not
packed at all, as fast as a copy.

The HDF5 library crashes at the end of the process if something that it holds could not be written.
It is therefore given a file that never fails, and whose first error is asked for.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import prod
from pathlib import Path
from shutil import disk_usage
from typing import Any, Literal, TypeAlias

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import COUNT, IDS, SMALLER, VERSIONS, channels_of, fits
from ganlib.common.formats.hdf5_checks import GROUP, checksums, text
from ganlib.common.formats.resize import check_sides, means
from ganlib.common.formats.stream import Block, Part, Stream, as_stream
from ganlib.common.io.console import progress
from ganlib.common.io.files import atomic
from ganlib.common.io.memory import GIB

Call: TypeAlias = Callable[..., Any]
Storage = Literal["gzip", "lzf", "contiguous"]
CHUNK_BYTES = 2**15  # small: to read one image, its whole chunk is decompressed
GZIP = 6  # the level, by which h5py calls gzip too


def write_hdf5(
    path: Path, train: DataSet, test: DataSet | None = None, sides: Sequence[int] = ()
) -> Storage:
    """Write data sets that are at hand; see write_streams."""
    tests = None if test is None else as_stream(test)
    return write_streams(path, as_stream(train), tests, sides=sides)


def write_streams(
    path: Path,
    train: Stream,
    test: Stream | None = None,
    storage: Storage | None = None,
    sides: Sequence[int] = (),
    new: bool = False,
) -> Storage:
    """Write a file that is whole or not there; the same images give the same bytes. `new`:
    UserError if somebody else has written one there meanwhile.

    storage: how the images lie in it, and what is returned; by default gzip what will be read at
    once, into memory, and else contiguous. sides: from the largest down, further resolutions of
    square images, each of which divides the one before: means over blocks, rounded.
    """
    streams = {"train": train} if test is None else {"train": train, "test": test}
    for stream in streams.values():
        _check_channels(stream)
        check_sides(sides, stream.shape)
    nbytes = [part.nbytes for stream in streams.values() for part in parts_of(stream, sides)]
    if storage is None:
        storage = "gzip" if all(map(fits, nbytes)) else "contiguous"
    try:
        free = disk_usage(path.parent).free
        if storage == "contiguous" and sum(nbytes) > free:  # before hours are spent
            raise UserError(
                f"{path} takes {sum(nbytes) / GIB:,.1f} GiB and {free / GIB:,.1f} GiB are free "
                "there: give another place, a smaller size, or lzf as the storage."
            )
        with atomic(path, new) as temporary, hdf5_writer(temporary) as (file, call):
            call(write_head, file, list(streams.values()))
            for name, stream in streams.items():
                write_split(call, file, name, stream, storage, sides)
    except FileExistsError:
        raise UserError(
            f"Another process has written {path} meanwhile: give another name, or --force to "
            "replace it."
        ) from None
    except OSError as error:
        raise UserError(f"{path} could not be written: {error.strerror or error}.") from error
    return storage


def _check_channels(stream: Stream) -> None:
    """UserError for what read_hdf5 would refuse, before any of it is made."""
    for name, n, (channels, *_), dtype, frames in stream.parts:
        if n and channels not in channels_of("ids" if dtype == torch.int32 else "image", frames):
            what = "images" if name == "images" else "sources"
            raise UserError(
                f"{stream.name} cannot be written to a file: its {what} have {channels} channels, "
                "and pictures have 1 or 3."
            )


def parts_of(stream: Stream, sides: Sequence[int]) -> list[Part]:
    """Each dataset of images."""
    images, *source = stream.parts
    squares = [(f"{SMALLER}/{side}", (stream.shape[0], side, side)) for side in sides]
    return [images, *source, *(images._replace(name=name, shape=s) for name, s in squares)]


class Split:
    """The group of one split while its blocks come, with room for all that may come."""

    def __init__(
        self, file: Any, name: str, stream: Stream, storage: Storage, sides: Sequence[int]
    ) -> None:
        self.group, self.storage, self.sides = file.create_group(name), storage, sides
        self.classes = stream.classes
        self.datasets = [self._dataset(part) for part in parts_of(stream, sides)]
        self.ends = [0 for _ in self.datasets]
        self.sums: list[list[NDArray[np.uint32]]] = [[] for _ in self.datasets]
        self.labels: list[Tensor] = []

    def write(self, block: Block) -> None:
        """Put the images behind those that came before."""
        parts = [*block.images(), *means(block.x, self.sides)]
        for dataset, sums, n, part in zip(self.datasets, self.sums, self.ends, parts, strict=True):
            values = part.numpy()
            if values.dtype != dataset.dtype:
                highest = np.iinfo(dataset.dtype).max
                if values.size and not 0 <= values.min() <= values.max() <= highest:
                    raise UserError(f"The numbers in {dataset.name} must lie in 0..{highest}.")
                values = values.astype(dataset.dtype)
            dataset[n : n + len(part)] = values
            sums.append(checksums(values))
        self.ends = [n + len(part) for n, part in zip(self.ends, parts, strict=True)]
        if block.y is not None:
            self.labels.append(block.y)

    def finish(self) -> None:
        """Cut the datasets to what came, or say how many images that is in those that stay."""
        for dataset, n in zip(self.datasets, self.ends, strict=True):
            if n < len(dataset) and dataset.chunks is not None:
                dataset.resize(n, axis=0)
            elif n < len(dataset):
                dataset.attrs[COUNT] = n
                self.group.file.attrs["version"] = max(VERSIONS)
        if self.labels:
            y = torch.cat(self.labels).numpy()
            self.datasets.append(self.group.create_dataset("labels", data=y))
            self.sums.append([checksums(y)])
        sums = self.group.create_group(GROUP)
        for dataset, parts in zip(self.datasets, self.sums, strict=True):
            key = dataset.name.removeprefix(f"{self.group.name}/")
            sums[key] = np.concatenate([*parts, np.empty(0, np.uint32)])
        if self.classes:
            names = list(map(text, self.classes))
            self.group.create_dataset("classes", data=names, dtype=h5py.string_dtype())

    def _dataset(self, part: Part) -> Any:
        name, n, shape, dtype, frames = part
        stored = "uint8" if dtype == torch.uint8 else IDS
        how: dict[str, Any] = {"track_times": False}
        if self.storage != "contiguous":
            nbytes = prod(shape) * np.dtype(stored).itemsize
            rows = max(1, min(256, n, CHUNK_BYTES // nbytes))
            how |= {"maxshape": (None, *shape), "chunks": (rows, *shape)}
            how |= {"compression": GZIP if self.storage == "gzip" else self.storage}
        dataset = self.group.create_dataset(name, (n, *shape), stored, **how)
        if stored == IDS:
            dataset.attrs["kind"] = "ids"
        if frames != 1:
            dataset.attrs["frames"] = frames
        return dataset


def write_head(file: Any, streams: Sequence[Stream]) -> None:
    """What the file says of itself: what the first of the streams is, and the first version that
    has what is in all of them.
    """
    first, *_ = streams
    shapes = [(one.source_kind, one.frames, one.source_frames, one.sources) for one in streams]
    file.attrs["version"] = 1 if set(shapes) == {("image", 1, 1, None)} else 2
    file.attrs["name"] = text(first.name)
    provenance = {text(key): text(value) for key, value in first.in_words(first.provenance).items()}
    file.create_group("provenance").attrs.update(provenance)


def write_split(
    call: Call, file: Any, name: str, stream: Stream, storage: Storage, sides: Sequence[int]
) -> None:
    """All of a stream, as the group `name`."""
    split = call(Split, file, name, stream, storage, sides)
    with progress(f"writing {stream.name}, {name}", stream.total) as advance:
        for block in stream.blocks:
            call(split.write, block)
            advance(len(block.x))
    call(split.finish)


class Disk(io.FileIO):
    """A file as h5py wants it, unbuffered and without errors; error: the first one that there was.

    After it what is written is kept in memory, for HDF5 may ask for it again.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r+")
        self.error: OSError | None = None
        self._kept: list[tuple[int, bytes]] = []

    def write(self, data: Any) -> int:
        """All of `data`; its length."""
        start, rest = self.tell(), memoryview(data).cast("B")
        end = start + len(rest)
        while rest and self.error is None:
            with self._noting():
                rest = rest[super().write(rest) :]
        if rest:
            self._kept.append((end - len(rest), bytes(rest)))
        self.seek(end)
        return end - start

    def readinto(self, buffer: Any) -> int:
        """Bytes from here on, zeros behind the end; how many."""
        start, view = self.tell(), memoryview(buffer).cast("B")
        with self._noting():
            n = super().readinto(view)
            view[n:] = bytes(len(view) - n)
        end = self.seek(start + len(view))
        for place, data in self._kept:
            first, last = max(place, start), min(place + len(data), end)
            if first < last:
                view[first - start : last - start] = data[first - place : last - place]
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """`size`, to which the file is cut or made longer."""
        assert size is not None
        with self._noting():
            super().truncate(size)
        return size

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error


@contextmanager
def hdf5_writer(path: Path) -> Iterator[tuple[Any, Call]]:
    """A new HDF5 file in place of `path`, and a function that does all calls for it.

    call(function, *arguments) is the function's result; OSError if the disk did not take what was
    written. It runs in a thread of its own: Ctrl-C reaches the main thread alone, where it would be
    an error in the middle of a write.
    """
    with Disk(path) as disk, ThreadPoolExecutor(1) as thread:

        def call(function: Callable[..., Any], *arguments: Any) -> Any:
            try:
                return thread.submit(function, *arguments).result()
            finally:
                if disk.error is not None:
                    raise disk.error

        file = thread.submit(h5py.File, disk, "w").result()
        try:
            yield file, call
        finally:
            call(file.close)
