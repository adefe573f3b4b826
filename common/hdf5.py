"""Our HDF5 files of images: written block by block, read at once or, if large, when asked.

/train and /test hold `images` uint8 (N, C, H, W) and perhaps `labels` int64 (N,), `source` uint8
(N, C', H', W'), the images that a translation starts from, and `classes`, strings. The attributes
`version`, `name` and the group /provenance of attributes say more; a file may lack them.

Version 2 has what older programs would take for something else: the attribute `frames` of `images`
or `source`, of which so many lie on the channels; `kind` "ids" of `source`, which is then uint16
(N, 2, H', W'), class and instance; or a `source` of another length, whose images are no pairs.
"""

import os
from math import prod
from pathlib import Path
from typing import Any, cast

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
from ganlib.common.spec import SourceKind

VERSIONS = (1, 2)
IN_MEMORY = 4 * GIB  # what takes less, and less than half of the memory, is read at once
CHUNK_BYTES = 2**15  # small: to read one image, its whole chunk is decompressed
GZIP = 6
CHANNELS = (1, 3)  # of a picture
MAX_FRAMES = 2**16
IDS = "uint16"  # in a file
MAX_CLASSES = 2**20  # that are called by number


class Hdf5Images:
    """Images (N, C, H, W) of one dataset of a file, which every process opens for itself: uint8, or
    ids as int32, which the file has as `stored`.
    """

    def __init__(self, path: Path, key: str, shape: tuple[int, ...], stored: str = "uint8") -> None:
        self.path, self.key, self.shape, self.stored = path, key, shape, stored
        self._images: Any = None
        self._process = -1

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Tensor) -> Tensor:
        """(n, C, H, W); UserError if they cannot be read."""
        with sentences(self.path):
            return torch.from_numpy(self._read(index, self._open()))

    @property
    def dtype(self) -> Any:
        """NumPy's type of what is read."""
        return np.dtype(np.int32 if self.stored == IDS else np.uint8)

    def _read(self, index: Tensor, images: Any) -> NDArray[Any]:
        rows, order = (t.tolist() for t in index.sort())
        result = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
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
            if images is None or images.shape != self.shape or images.dtype != self.stored:
                raise UserError(f"{self.path} is not the file any more that it was: start anew.")
            self._images = images
            self._process = os.getpid()
        return self._images


def write_hdf5(path: Path, train: DataSet, test: DataSet | None = None) -> None:
    """Write data sets that are at hand; see write_streams."""
    write_streams(path, as_stream(train), None if test is None else as_stream(test))


def write_streams(path: Path, train: Stream, test: Stream | None = None) -> None:
    """Write a file that is whole or not there; the same images give the same bytes."""
    streams = {"train": train} if test is None else {"train": train, "test": test}
    try:
        if not path.parent.is_dir():
            raise UserError(
                f"There is no folder {path.parent} to write {path.name} to: make it first."
            )
        with atomic(path) as temporary, hdf5_writer(temporary) as (file, call):
            call(_write_head, file, train, max(map(_version, streams.values())))
            for split, stream in streams.items():
                _write_split(file, split, stream, call)
    except OSError as error:
        raise UserError(f"{path} could not be written: {error.strerror or error}.") from error


def _version(stream: Stream) -> int:
    """The first version that has what is in `stream`."""
    plain = stream.source_kind == "image" and stream.frames == stream.source_frames == 1
    return 1 if plain and stream.sources is None else 2


def _write_head(file: Any, stream: Stream, version: int) -> None:
    file.attrs["version"] = version
    file.attrs["name"] = text(stream.name)
    provenance = {text(key): text(value) for key, value in stream.provenance.items()}
    file.create_group("provenance").attrs.update(provenance)


def _write_split(file: Any, split: str, stream: Stream, call: Call) -> None:
    """Write the images as they come, and cut the datasets to what came."""
    group, datasets = call(_create, file, split, stream)
    labels, ends = [], [0 for _ in datasets]
    with progress(f"writing {stream.name}, {split}", stream.total) as advance:
        for block in stream.blocks:
            call(_write_block, datasets, ends, block)
            if block.y is not None:
                labels.append(block.y)
            ends = [n + len(part) for n, part in zip(ends, block.images(), strict=True)]
            advance(len(block.x))
    call(_finish, group, datasets, ends, labels, stream.classes)


def _create(file: Any, split: str, stream: Stream) -> tuple[Any, list[Any]]:
    """The group of a split and its datasets of images, with room for all that may come."""
    group, datasets = file.create_group(split), []
    for (key, n, shape, kind), frames in zip(
        stream.parts, (stream.frames, stream.source_frames), strict=False
    ):
        dataset = _dataset(group, key, n, shape, IDS if kind == torch.int32 else "uint8")
        if kind == torch.int32:
            dataset.attrs["kind"] = "ids"
        if frames != 1:
            dataset.attrs["frames"] = frames
        datasets.append(dataset)
    return group, datasets


def _write_block(datasets: list[Any], ends: list[int], block: Block) -> None:
    for dataset, n, part in zip(datasets, ends, block.images(), strict=True):
        values = part.numpy()
        if values.dtype != dataset.dtype:
            highest = np.iinfo(dataset.dtype).max
            if values.size and not 0 <= values.min() <= values.max() <= highest:
                raise UserError(f"The numbers in {dataset.name} must lie in 0..{highest}.")
            values = values.astype(dataset.dtype)
        dataset[n : n + len(part)] = values


def _finish(
    group: Any,
    datasets: list[Any],
    ends: list[int],
    labels: list[Tensor],
    classes: tuple[str, ...],
) -> None:
    for dataset, n in zip(datasets, ends, strict=True):
        dataset.resize(n, axis=0)
    if labels:
        group.create_dataset("labels", data=torch.cat(labels).numpy())
    if classes:
        group.create_dataset("classes", data=list(map(text, classes)), dtype=h5py.string_dtype())


def _dataset(group: Any, name: str, n: int, shape: tuple[int, int, int], dtype: str) -> Any:
    nbytes = prod(shape) * np.dtype(dtype).itemsize
    rows = max(1, min(256, n, CHUNK_BYTES // nbytes))
    return group.create_dataset(
        name,
        (n, *shape),
        dtype,
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
    version = attribute(file, "version", file, max(VERSIONS))
    if version not in VERSIONS:
        raise UserError(
            f"{path} has the format version {version} and this ganlib reads "
            f"{' and '.join(map(str, VERSIONS))}: use the ganlib that wrote it, or write it anew."
        )
    if find(file, split) is None and find(file, "train") is not None:
        raise NoSuchSplit(f"{path} has no {split} images: there is no /{split}/images in it.")
    images = _images(path, file, f"{split}/images", "image")
    if images is None:
        raise wrong(
            file, f"{split}/images", "is missing: it must hold the images as uint8 (N, C, H, W)"
        )
    kind = _kind(file, f"{split}/source")
    source = _images(path, file, f"{split}/source", kind)
    if source is not None and version == 1 and len(source) != len(images):
        raise wrong(file, f"{split}/source", f"must hold {len(images):,} images as images does")
    labels, classes = _labels(file, split, len(images))
    return DataSet(
        str(attribute(file, "name", file, path.stem)),
        _in_memory(file, images),
        labels,
        None if source is None else _in_memory(file, source),
        classes,
        _provenance(file),
        source_kind=kind,
        frames=_frames(file, f"{split}/images"),
        source_frames=_frames(file, f"{split}/source"),
    )


def _kind(file: Any, key: str) -> SourceKind:
    """Of which kind the sources are."""
    dataset = find_dataset(file, key)
    kind = "image" if dataset is None else attribute(file, "kind", dataset, "image")
    if kind not in ("image", "ids"):
        raise wrong(file, f"{key}@kind", f"must be image or ids and is {kind}")
    return cast(SourceKind, kind)


def _frames(file: Any, key: str) -> int:
    """How many pictures lie on the channels."""
    dataset = find_dataset(file, key)
    frames = 1 if dataset is None else attribute(file, "frames", dataset, 1)
    if not isinstance(frames, int) or not 1 <= frames <= MAX_FRAMES:
        raise wrong(file, f"{key}@frames", f"must be an integer in 1..{MAX_FRAMES}")
    return frames


def _images(path: Path, file: Any, key: str, kind: SourceKind) -> Hdf5Images | None:
    """The dataset `key`, checked without reading it; None if there is none."""
    images = find_dataset(file, key)
    if images is None:
        return None
    stored, what = (IDS, "0..65535") if kind == "ids" else ("uint8", "0..255")
    if images.dtype != stored:
        raise wrong(file, key, f"must be {stored}, {what}, and is {images.dtype}")
    frames = _frames(file, key)
    allowed = (2,) if kind == "ids" else tuple(frames * n for n in CHANNELS)
    if images.ndim != 4 or 0 in images.shape or images.shape[1] not in allowed:
        shape, or_ = tuple(map(int, images.shape)), " or ".join(map(str, allowed))
        of = f" as it has {frames} frames" if frames > 1 else ""
        raise wrong(file, key, f"must have the shape (N, {or_}, H, W){of} and has {shape}")
    return Hdf5Images(path, key, images.shape, stored)


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
    if prod(images.shape) * images.dtype.itemsize >= min(IN_MEMORY, available // 2):
        return images
    return torch.from_numpy(file[images.key][:].astype(images.dtype, copy=False))
