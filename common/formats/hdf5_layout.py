"""How a split's images lie in an HDF5 file, and the writing of them as they come.

gzip takes the least room and is for what is read at once, into memory. Where single images are
read, in any order, it is far too slow: lzf is 5 to 10 times as fast, and what is contiguous, not
packed at all, as fast as a copy.
"""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Literal

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_checks import text
from ganlib.common.formats.hdf5_checksums import GROUP, checksums
from ganlib.common.formats.resize import means
from ganlib.common.formats.stream import Block, Stream

Storage = Literal["gzip", "lzf", "contiguous"]
SMALLER = "smaller"
"""The group in a split of the images at lower resolutions."""
COUNT = "count"
"""The attribute of a contiguous dataset that has room for more images than there are."""
IDS = "uint16"
"""The type of ids in a file."""
CHUNK_BYTES = 2**15  # small: to read one image, its whole chunk is decompressed
GZIP = 6


def sizes(stream: Stream, sides: Sequence[int] = ()) -> list[int]:
    """The bytes of each dataset of images, unpacked."""
    parts = [n * prod(shape) * kind.itemsize for _, n, shape, kind in stream.parts]
    return parts + [stream.total * stream.shape[0] * side**2 for side in sides]


class Split:
    """The group of one split while its blocks come, with room for all that may come."""

    def __init__(
        self, file: Any, name: str, stream: Stream, storage: Storage, sides: Sequence[int]
    ) -> None:
        self.group, self.storage, self.sides = file.create_group(name), storage, sides
        self.classes = stream.classes
        frames = (stream.frames, stream.source_frames)
        self.datasets = [
            self._dataset(key, (n, *shape), kind, many)
            for (key, n, shape, kind), many in zip(stream.parts, frames, strict=False)
        ]
        for side in sides:
            key, square = f"{SMALLER}/{side}", (stream.total, stream.shape[0], side, side)
            self.datasets.append(self._dataset(key, square, torch.uint8, stream.frames))
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

    def finish(self) -> bool:
        """Cut the datasets to what came, or say how many images that is where they cannot be cut:
        then False.
        """
        cut = [self._cut(*part) for part in zip(self.datasets, self.ends, strict=True)]
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
        return all(cut)

    def _cut(self, dataset: Any, n: int) -> bool:
        if n == len(dataset):
            return True
        if dataset.chunks is not None:
            dataset.resize(n, axis=0)
            return True
        dataset.attrs[COUNT] = n
        return False

    def _dataset(self, name: str, shape: tuple[int, ...], kind: torch.dtype, frames: int) -> Any:
        stored = "uint8" if kind == torch.uint8 else IDS
        how: dict[str, Any] = {"track_times": False}
        if self.storage != "contiguous":
            nbytes = prod(shape[1:]) * np.dtype(stored).itemsize
            rows = max(1, min(256, shape[0], CHUNK_BYTES // nbytes))
            how |= {"maxshape": (None, *shape[1:]), "chunks": (rows, *shape[1:])}
            how |= {"compression": self.storage}
        if self.storage == "gzip":
            how |= {"compression_opts": GZIP}
        dataset = self.group.create_dataset(name, shape, stored, **how)
        if stored == IDS:
            dataset.attrs["kind"] = "ids"
        if frames != 1:
            dataset.attrs["frames"] = frames
        return dataset


def sides_of(group: Any) -> Iterator[int]:
    """The sides of the images at lower resolutions in a group of a split."""
    return (int(name) for name in group if name.isdecimal() and name.isascii())
