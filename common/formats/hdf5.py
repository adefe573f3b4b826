"""Our HDF5 files of images: written block by block, read at once or, if large, when asked.

/train and /test hold `images` uint8 (N, C, H, W) and perhaps `labels` int64 (N,), `source` uint8
(N, C', H', W'), the images that a translation starts from, and `classes`, strings. The attributes
`version`, `name` and the group /provenance of attributes say more; a file may lack them. So it may
`smaller/SIDE` beside `images`, these at a lower resolution as uint8 (N, C, SIDE, SIDE), and
`crc32/...`, checksums; older programs pass over both.

Version 2 has what older programs would take for something else: the attribute `frames` of `images`
or `source`, of which so many lie on the channels; `kind` "ids" of `source`, which is then uint16
(N, 2, H', W'), class and instance; or a `source` of another length, whose images are no pairs.
Version 3 has the attribute `count` of contiguous images that are fewer than there is room for.
"""

import os
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from ganlib.common.data import DataSet, Images
from ganlib.common.data.spec import SPLITS, Lazy, NoSuchSplit, SourceKind, contents_of
from ganlib.common.errors import UserError
from ganlib.common.formats import hdf5_checks as checks
from ganlib.common.formats.shared import shared_data
from ganlib.common.formats.stream import block_length
from ganlib.common.io.console import progress
from ganlib.common.io.files import reading, regular
from ganlib.common.io.memory import GIB, available_memory

VERSIONS = (1, 2, 3)
SMALLER = "smaller"
"""The group in a split of the images at lower resolutions."""
COUNT = "count"
"""The attribute of a contiguous dataset that has room for more images than there are."""
IDS = "uint16"
"""The type of ids in a file."""
SMALL = 2**26  # bytes; less is read sooner than it is found in what processes share
IN_MEMORY = 4 * GIB  # what takes less, and less than half of the memory, is read at once
CHANNELS = (1, 3)  # of a picture
MAX_FRAMES = 2**16
SPREAD = 256  # images of a large file that are held against their checksums when it is opened
MAX_CLASSES = 2**20  # that are called by number


class Hdf5Images(Lazy):
    """Images (N, C, H, W) of one dataset of a file, which every process opens for itself: uint8, or
    ids as int32, which the file has as `stored`. frames: how many pictures lie on the channels.
    """

    def __init__(
        self, path: Path, key: str, shape: tuple[int, ...], stored: str = "uint8", frames: int = 1
    ) -> None:
        self.path, self.key, self.shape = path, key, shape
        self.stored, self.frames = stored, frames
        self._opened: tuple[int, Any] | None = None  # the process, and what it has opened

    def __getitem__(self, index: Tensor) -> Tensor:
        """(n, C, H, W); UserError if they cannot be read."""
        rows, order = (t.tolist() for t in index.sort())
        result = np.empty((len(rows), *self.shape[1:]), dtype=self.dtype)
        with checks.sentences(self.path):
            images = self._open()
            if rows and rows == list(range(rows[0], rows[-1] + 1)):
                result[order] = images[rows[0] : rows[-1] + 1]
            else:  # one by one: many times as fast as h5py's own indexing with a list
                for row, place in zip(rows, order, strict=True):
                    result[place] = images[row]
        return torch.from_numpy(result)

    def at_once(self) -> Images:
        """All images as a tensor, unless they are too large for that; of what stays in the file,
        SPREAD images, evenly from the first to the last, are looked at. UserError unless what is
        read is as it was written.
        """
        with checks.sentences(self.path):
            nbytes = prod(self.shape) * self.dtype.itemsize
            if fits(nbytes):
                facts = {"hdf5": self.key}
                data = self._all() if nbytes < SMALL else shared_data(facts, [self.path], self._all)
                return data.x
            images, n = self._open(), len(self)
            for number in np.linspace(0, n - 1, min(SPREAD, n)).round().astype(int):
                checks.verify(images.file, self.key, images[number : number + 1], number)
            self._opened = None
            return self

    def _all(self) -> DataSet:
        images = self._open()
        values = images[: len(self)]
        checks.verify(images.file, self.key, values)
        return DataSet(self.key, torch.from_numpy(values.astype(self.dtype, copy=False)))

    @property
    def dtype(self) -> Any:
        """NumPy's type of what is read."""
        return np.dtype(np.int32 if self.stored == IDS else np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}

    def _open(self) -> Any:
        if self._opened is None or self._opened[0] != os.getpid():
            images = checks.find_dataset(h5py.File(self.path, "r", locking=False), self.key)
            alike = images is not None and images.dtype == self.stored
            if not alike or images.shape[1:] != self.shape[1:] or len(images) < len(self):
                raise UserError(f"{self.path} is not the file any more that it was: start anew.")
            self._opened = os.getpid(), images
        return self._opened[1]


def channels_of(kind: SourceKind, frames: int) -> tuple[int, ...]:
    """How many channels there may be."""
    return (2,) if kind == "ids" else tuple(frames * n for n in CHANNELS)


def read_hdf5(path: Path, split: str, size: int | None = None) -> DataSet:
    """One split of a file at the size that it was written in; UserError says which of its datasets
    is missing or wrong.
    """
    with reading(path):
        if not regular(path).is_file():
            raise UserError(f"There is no file {path}.")
    with checks.sentences(path), h5py.File(path, "r", locking=False) as file:
        return _read_split(path, file, split)


def _read_split(path: Path, file: Any, split: str) -> DataSet:
    version = checks.attribute(file, "version", file, max(VERSIONS))
    if version not in VERSIONS:
        raise UserError(
            f"{path} has the format version {version} and this ganlib reads up to "
            f"{max(VERSIONS)}: use the ganlib that wrote it, or write it anew."
        )
    if checks.find(file, split) is None and checks.find(file, "train") is not None:
        raise NoSuchSplit(f"{path} has no {split} images: there is no /{split}/images in it.")
    images = _images(path, file, f"{split}/images")
    if images is None:
        raise checks.wrong(
            file, f"{split}/images", "is missing: it must hold the images as uint8 (N, C, H, W)"
        )
    source = _images(path, file, f"{split}/source")
    if source is not None and version == 1 and len(source) != len(images):
        what = f"must hold {len(images):,} images as images does"
        raise checks.wrong(file, f"{split}/source", what)
    labels, classes = _labels(file, split, len(images))
    provenance = _provenance(file)
    return DataSet(
        str(checks.attribute(file, "name", file, path.stem)),
        images.at_once(),
        labels,
        None if source is None else source.at_once(),
        classes,
        provenance,
        source_kind="ids" if source and source.stored == IDS else "image",
        frames=images.frames,
        source_frames=source.frames if source else 1,
        smaller=_smaller(path, file, split, images),
        **contents_of(provenance),
    )


def _smaller(path: Path, file: Any, split: str, images: Hdf5Images) -> dict[int, Images]:
    """The images at lower resolutions by their side, none of them read yet."""
    group = checks.find(file, f"{split}/{SMALLER}")
    found: dict[int, Images] = {}
    for side in sides_of(group) if isinstance(group, h5py.Group) else ():
        key = f"{split}/{SMALLER}/{side}"
        one = _images(path, file, key)
        wanted = (*images.shape[:2], side, side)
        if one is None or one.shape != wanted or not side < images.shape[2] == images.shape[3]:
            raise checks.wrong(file, key, f"must be smaller square images, of the shape {wanted}")
        found[side] = one
    return dict(sorted(found.items()))


def sides_of(group: Any) -> Iterator[int]:
    """The sides of the images at lower resolutions in a group of a split."""
    return (int(name) for name in group if name.isdecimal() and name.isascii())


def _integer(file: Any, key: str, dataset: Any, name: str, default: int, most: int) -> int:
    n = checks.attribute(file, name, dataset, default)
    if not isinstance(n, int) or not 1 <= n <= most:
        raise checks.wrong(file, f"{key}@{name}", f"must be an integer in 1..{most:,}")
    return n


def _images(path: Path, file: Any, key: str) -> Hdf5Images | None:
    """The dataset `key`, checked without reading it; None if there is none."""
    images = checks.find_dataset(file, key)
    if images is None:
        return None
    kind: SourceKind = "image"
    if key.endswith("/source"):
        kind = checks.attribute(file, "kind", images, kind)
    if kind not in ("image", "ids"):
        raise checks.wrong(file, f"{key}@kind", f"must be image or ids and is {kind}")
    stored, what = (IDS, "0..65535") if kind == "ids" else ("uint8", "0..255")
    if images.dtype != stored:
        raise checks.wrong(file, key, f"must be {stored}, {what}, and is {images.dtype}")
    frames = _integer(file, key, images, "frames", 1, MAX_FRAMES)
    allowed = channels_of(kind, frames)
    if images.ndim != 4 or 0 in images.shape or images.shape[1] not in allowed:
        shape, or_ = tuple(map(int, images.shape)), " or ".join(map(str, allowed))
        of = f" as it has {frames} frames" if frames > 1 else ""
        raise checks.wrong(file, key, f"must have the shape (N, {or_}, H, W){of} and has {shape}")
    n = _integer(file, key, images, COUNT, len(images), len(images))
    return Hdf5Images(path, key, (n, *images.shape[1:]), stored, frames)


def _labels(file: Any, split: str, n: int) -> tuple[Tensor | None, tuple[str, ...]]:
    """Labels and the names of the classes; without names the classes are called by number."""
    key, names = f"{split}/labels", _classes(file, f"{split}/classes")
    labels = checks.find_dataset(file, key)
    if labels is None:
        return None, names
    if labels.dtype.kind not in "iu" or labels.shape != (n,):
        raise checks.wrong(file, key, f"must be {n:,} integers, one for each image")
    y = checks.values(file, key, labels)
    low, high = int(y.min()), int(y.max())
    most, why = (len(names), ", as there are so many classes") if names else (MAX_CLASSES, "")
    if not 0 <= low <= high < most:
        raise checks.wrong(file, key, f"must lie in 0..{most - 1}{why}")
    checks.verify(file, key, y)
    return torch.from_numpy(y.astype(np.int64)), names or tuple(map(str, range(high + 1)))


def _classes(file: Any, key: str) -> tuple[str, ...]:
    """The names of the classes, none if they have no names."""
    classes = checks.find_dataset(file, key)
    if classes is None:
        return ()
    if h5py.check_string_dtype(classes.dtype) is None or classes.ndim != 1:
        raise checks.wrong(file, key, "must be a list of strings, the names of the classes")
    return tuple(map(checks.text, checks.values(file, key, classes)))


def _provenance(file: Any) -> dict[str, str]:
    group = checks.find(file, "provenance")
    if not isinstance(group, h5py.Group):
        return {}
    return {key: str(checks.attribute(file, key, group, "")) for key in group.attrs}


def fits(nbytes: int) -> bool:
    """Whether so much is read at once, into memory."""
    return nbytes < min(IN_MEMORY, available_memory() / 2)


def check_hdf5(path: Path) -> Iterator[str]:
    """What the checksums say of all that they are of, a line for each dataset. UserError at the
    first that is not as it was written.
    """
    with checks.sentences(path), h5py.File(regular(path), "r", locking=False) as file:
        for split in SPLITS:
            sides = sides_of(checks.find(file, f"{split}/{SMALLER}") or ())
            names = ["images", "source", "labels", *(f"{SMALLER}/{side}" for side in sides)]
            for key in (f"{split}/{name}" for name in names):
                if checks.find_dataset(file, key) is not None:
                    yield _checked(file, key)


def _checked(file: Any, key: str) -> str:
    dataset = checks.find_dataset(file, key)
    if checks.find_dataset(file, checks.place_of(key)) is None:
        return f"/{key}: no checksums"  # other programs, and ganlib once, write none
    n, found = _integer(file, key, dataset, COUNT, len(dataset), len(dataset)), list[int]()
    step = block_length((1, 1, max(1, prod(dataset.shape[1:]))))
    with progress(f"checking {key}", n) as advance:
        for first in range(0, n, step):
            values = dataset[first : min(first + step, n)]
            found += checks.changed(file, key, values, first)
            advance(len(values))
    checks.refuse(file, key, found)
    return f"/{key}: {n:,}, all as they were written"


load = read_hdf5
