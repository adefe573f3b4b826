"""Our HDF5 files of images: written block by block, read at once or, if large, when asked.

/train and /test hold `images` uint8 (N, C, H, W) and perhaps `labels` int64 (N,), `source` uint8
(N, C', H', W'), the images that a translation starts from, and `classes`, strings. The attributes
`version`, `name` and the group /provenance of attributes say more; a file may lack them.
"""

import os
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganlib.common.data import DataSet, Images
from ganlib.common.datasets._disk import Call, hdf5_writer
from ganlib.common.datasets._inside import (
    attribute,
    find,
    find_dataset,
    sentences,
    text,
    values,
    wrong,
)
from ganlib.common.datasets._memory import GIB, available_memory
from ganlib.common.datasets._progress import progress
from ganlib.common.datasets._stream import Block, NoSuchSplit, Stream, as_stream, check_split
from ganlib.common.errors import UserError
from ganlib.common.files import atomic
from ganlib.common.paths import reading

VERSION = 1
IN_MEMORY = 4 * GIB  # what takes less, and less than half of the memory, is read at once
CHUNK_BYTES = 2**15  # small: to read one image, its whole chunk is decompressed
GZIP = 6
CHANNELS = (1, 3)
MAX_CLASSES = 2**20  # that are called by number


class Hdf5Images:
    """uint8 images (N, C, H, W) of one dataset of a file, which every process opens for itself."""

    def __init__(self, path: Path, key: str, shape: tuple[int, ...]) -> None:
        self.path, self.key, self.shape = path, key, shape
        self._images: Any = None
        self._process = -1

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Tensor) -> Tensor:
        """uint8 (n, C, H, W); UserError if they cannot be read."""
        with sentences(self.path):
            return torch.from_numpy(self._read(index, self._open()))

    def _read(self, index: Tensor, images: Any) -> NDArray[np.uint8]:
        rows, order = (t.tolist() for t in index.sort())
        result = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        if rows and rows == list(range(rows[0], rows[-1] + 1)):
            result[order] = images[rows[0] : rows[-1] + 1]
        else:  # one by one: many times as fast as h5py's own indexing with a list
            for row, place in zip(rows, order, strict=True):
                result[place] = images[row]
        return result

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_images": None, "_process": -1}

    def _open(self) -> Any:
        if self._process != os.getpid():
            images = find_dataset(h5py.File(self.path, "r", locking=False), self.key)
            if images is None or images.shape != self.shape or images.dtype != np.uint8:
                raise UserError(f"{self.path} is not the file any more that it was: start anew.")
            self._images = images
            self._process = os.getpid()
        return self._images


def write_hdf5(path: Path, train: DataSet, test: DataSet | None = None) -> None:
    """Write data sets that are at hand; see write_streams."""
    write_streams(path, as_stream(train), None if test is None else as_stream(test))


def write_streams(path: Path, train: Stream, test: Stream | None = None) -> None:
    """Write a file that is whole or not there; the same images give the same bytes."""
    try:
        if not path.parent.is_dir():
            raise UserError(
                f"There is no folder {path.parent} to write {path.name} to: make it first."
            )
        with atomic(path) as temporary, hdf5_writer(temporary) as (file, call):
            call(_write_head, file, train)
            _write_split(file, "train", train, call)
            if test is not None:
                _write_split(file, "test", test, call)
    except OSError as error:
        raise UserError(f"{path} could not be written: {error.strerror or error}.") from error


def _write_head(file: Any, stream: Stream) -> None:
    file.attrs["version"] = VERSION
    file.attrs["name"] = text(stream.name)
    provenance = {text(key): text(value) for key, value in stream.provenance.items()}
    file.create_group("provenance").attrs.update(provenance)


def _write_split(file: Any, split: str, stream: Stream, call: Call) -> None:
    """Write the images as they come, and cut the datasets to what came."""
    group, datasets = call(_create, file, split, stream)
    labels, n = [], 0
    with progress(f"writing {stream.name}, {split}", stream.total) as advance:
        for block in stream.blocks:
            call(_write_block, datasets, n, block)
            if block.y is not None:
                labels.append(block.y)
            n += len(block.x)
            advance(len(block.x))
    call(_finish, group, datasets, n, labels, stream.classes)


def _create(file: Any, split: str, stream: Stream) -> tuple[Any, list[Any]]:
    """The group of a split and its datasets of images, with room for all that may come."""
    group = file.create_group(split)
    shapes = {"images": stream.shape} | ({"source": stream.source} if stream.source else {})
    return group, [_dataset(group, key, stream.total, shape) for key, shape in shapes.items()]


def _write_block(datasets: list[Any], n: int, block: Block) -> None:
    for dataset, part in zip(datasets, block.images(), strict=True):
        dataset[n : n + len(part)] = part.numpy()


def _finish(
    group: Any, datasets: list[Any], n: int, labels: list[Tensor], classes: tuple[str, ...]
) -> None:
    for dataset in datasets:
        dataset.resize(n, axis=0)
    if labels:
        group.create_dataset("labels", data=torch.cat(labels).numpy())
    if classes:
        group.create_dataset("classes", data=list(map(text, classes)), dtype=h5py.string_dtype())


def _dataset(group: Any, name: str, n: int, shape: tuple[int, int, int]) -> Any:
    rows = max(1, min(256, n, CHUNK_BYTES // prod(shape)))
    return group.create_dataset(
        name,
        (n, *shape),
        "uint8",
        maxshape=(None, *shape),
        chunks=(rows, *shape),
        compression="gzip",
        compression_opts=GZIP,
        track_times=False,
    )


def read_hdf5(path: Path, split: str) -> DataSet:
    """One split of a file; UserError says which of its datasets is missing or wrong."""
    check_split(split)
    with reading(path):
        if not path.is_file():
            raise UserError(f"There is no file {path}.")
    with sentences(path), h5py.File(path, "r", locking=False) as file:
        return _read_split(path, file, split)


def _read_split(path: Path, file: Any, split: str) -> DataSet:
    version = attribute(file, "version", file, VERSION)
    if version != VERSION:
        raise UserError(
            f"{path} has the format version {version} and this ganlib reads {VERSION}: "
            "use the ganlib that wrote it, or write it anew."
        )
    if find(file, split) is None and find(file, "train") is not None:
        raise NoSuchSplit(f"{path} has no {split} images: there is no /{split}/images in it.")
    images = _images(path, file, f"{split}/images")
    if images is None:
        raise wrong(
            file, f"{split}/images", "is missing: it must hold the images as uint8 (N, C, H, W)"
        )
    source = _images(path, file, f"{split}/source")
    if source is not None and len(source) != len(images):
        raise wrong(file, f"{split}/source", f"must hold {len(images):,} images as images does")
    labels, classes = _labels(file, split, len(images))
    return DataSet(
        str(attribute(file, "name", file, path.stem)),
        _in_memory(file, images),
        labels,
        None if source is None else _in_memory(file, source),
        classes,
        _provenance(file),
    )


def _images(path: Path, file: Any, key: str) -> Hdf5Images | None:
    """The dataset `key`, checked without reading it; None if there is none."""
    images = find_dataset(file, key)
    if images is None:
        return None
    if images.dtype != np.uint8:
        raise wrong(file, key, f"must be uint8, 0..255, and is {images.dtype}")
    if images.ndim != 4 or 0 in images.shape or images.shape[1] not in CHANNELS:
        shape = tuple(map(int, images.shape))
        raise wrong(file, key, f"must have the shape (N, 1 or 3, H, W) and has {shape}")
    return Hdf5Images(path, key, images.shape)


def _labels(file: Any, split: str, n: int) -> tuple[Tensor | None, tuple[str, ...]]:
    """Labels and the names of the classes; without names the classes are called by number."""
    key, names = f"{split}/labels", _classes(file, f"{split}/classes")
    labels = find_dataset(file, key)
    if labels is None:
        return None, names
    if labels.dtype.kind not in "iu" or labels.shape != (n,):
        raise wrong(file, key, f"must be {n:,} integers, one for each image")
    y = values(file, key, labels)
    low, high = int(y.min()), int(y.max())
    if names and not 0 <= low <= high < len(names):
        raise wrong(file, key, f"must lie in 0..{len(names) - 1}, as there are so many classes")
    if not 0 <= low <= high < MAX_CLASSES:
        raise wrong(file, key, f"must lie in 0..{MAX_CLASSES - 1}")
    return torch.from_numpy(y.astype(np.int64)), names or tuple(map(str, range(high + 1)))


def _classes(file: Any, key: str) -> tuple[str, ...]:
    """The names of the classes, none if they have no names."""
    classes = find_dataset(file, key)
    if classes is None:
        return ()
    if h5py.check_string_dtype(classes.dtype) is None or classes.ndim != 1:
        raise wrong(file, key, "must be a list of strings, the names of the classes")
    return tuple(map(text, values(file, key, classes)))


def _provenance(file: Any) -> dict[str, str]:
    group = find(file, "provenance")
    if not isinstance(group, h5py.Group):
        return {}
    return {key: str(attribute(file, key, group, "")) for key in group.attrs}


def _in_memory(file: Any, images: Hdf5Images) -> Images:
    """The images as a tensor, unless they are too large for that."""
    available = available_memory() or 2 * IN_MEMORY
    if prod(images.shape) >= min(IN_MEMORY, available // 2):
        return images
    return torch.from_numpy(file[images.key][:])
