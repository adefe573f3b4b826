"""A split of a source, block by block, so that it may be larger than memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from ganlib.common.data import DataSet, Shape
from ganlib.common.datasets._memory import require_memory
from ganlib.common.datasets._progress import progress
from ganlib.common.errors import UserError

SPLITS = ("train", "test")
BLOCK_BYTES = 2**26


class NoSuchSplit(UserError):
    """The source is there and has no such split; most sources without a test split end here."""


class Block(NamedTuple):
    """x: uint8 (n, C, H, W); y: int64 (n,) or None; source: uint8 (n, C', H', W') or None."""

    x: Tensor
    y: Tensor | None = None
    source: Tensor | None = None

    def images(self) -> tuple[Tensor, ...]:
        """x, and source if there is one."""
        return (self.x,) if self.source is None else (self.x, self.source)


@dataclass(frozen=True)
class Stream:
    """One split as an iterator of blocks, to be used once.

    shape: (C, H, W) of an image. source: (C', H', W') of its pair, or None. total: how many images
    there are at most; those that turn out to be damaged are left out.
    """

    name: str
    shape: Shape
    total: int
    blocks: Iterator[Block]
    classes: tuple[str, ...] = ()
    source: Shape | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)


def check_split(split: str) -> None:
    """UserError unless `split` is one that every source knows."""
    if split not in SPLITS:
        raise UserError(f"There is no split '{split}'; the splits are 'train' and 'test'.")


def block_length(shape: Shape) -> int:
    """How many images of `shape` go into a block."""
    return max(1, min(256, BLOCK_BYTES // prod(shape)))


def as_stream(data: DataSet) -> Stream:
    """The images of `data`, in order."""
    source: Shape | None = None
    if data.source is not None:
        _, channels, height, width = data.source.shape
        source = channels, height, width
    blocks = _blocks(data)
    return Stream(data.name, data.shape, len(data), blocks, data.classes, source, data.provenance)


def _blocks(data: DataSet) -> Iterator[Block]:
    step = block_length(data.shape)
    for start in range(0, len(data), step):
        rows = torch.arange(start, min(start + step, len(data)))
        y = None if data.y is None else data.y[rows]
        yield Block(data.x[rows], y, None if data.source is None else data.source[rows])


def collect(stream: Stream) -> DataSet:
    """All of a stream in memory; UserError if it does not fit."""
    shapes = [shape for shape in (stream.shape, stream.source) if shape is not None]
    require_memory(stream.name, stream.total * sum(map(prod, shapes)))
    images = [torch.empty((stream.total, *shape), dtype=torch.uint8) for shape in shapes]
    labels, n = [], 0
    with progress(f"reading {stream.name}", stream.total) as advance:
        for block in stream.blocks:
            for whole, part in zip(images, block.images(), strict=True):
                whole[n : n + len(part)] = part
            if block.y is not None:
                labels.append(block.y)
            n += len(block.x)
            advance(len(block.x))
    return DataSet(
        stream.name,
        images[0][:n],
        torch.cat(labels) if labels else None,
        images[1][:n] if stream.source else None,
        stream.classes,
        stream.provenance,
    )
