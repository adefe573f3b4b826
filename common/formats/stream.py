"""A split of a source, block by block, so that it may be larger than memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from math import prod
from typing import Any, NamedTuple, ParamSpec, TypeVar

import torch
from torch import Tensor

from ganlib.common.data import DataSet, Shape
from ganlib.common.data.spec import Contents
from ganlib.common.io.console import progress
from ganlib.common.io.memory import require_memory

P = ParamSpec("P")
BLOCK_BYTES = 2**26


class Part(NamedTuple):
    """Of the images or the sources of a stream: at most how many, of which shape, type and number
    of frames.
    """

    name: str
    total: int
    shape: Shape
    dtype: torch.dtype
    frames: int

    @property
    def nbytes(self) -> int:
        """As a tensor."""
        return self.total * prod(self.shape) * self.dtype.itemsize


class Block(NamedTuple):
    """x: uint8 (n, C, H, W); y: int64 (n,) or None; source: None, or uint8 (m, C', H', W') or
    int32 ids, m = n but in unpaired sets, whose blocks may also be empty on one side.
    """

    x: Tensor
    y: Tensor | None = None
    source: Tensor | None = None

    def images(self) -> tuple[Tensor, ...]:
        """x, and source if there is one."""
        return (self.x,) if self.source is None else (self.x, self.source)


@dataclass(frozen=True)
class Stream(Contents):
    """One split as an iterator of blocks, to be used once.

    shape: (C, H, W) of an image. source: (C', H', W') of its pair, or None. total: how many images
    there are at most; those that turn out to be damaged are left out. sources: how many sources, if
    not as many. The rest is as in DataSet.
    """

    name: str
    shape: Shape
    total: int
    blocks: Iterator[Block]
    classes: tuple[str, ...] = ()
    source: Shape | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    sources: int | None = None

    @property
    def parts(self) -> list[Part]:
        """What a block holds in images()."""
        parts = [Part("images", self.total, self.shape, torch.uint8, self.frames)]
        if self.source is not None:
            kind = torch.int32 if self.source_kind == "ids" else torch.uint8
            length = self.total if self.sources is None else self.sources
            parts.append(Part("source", length, self.source, kind, self.source_frames))
        return parts


def block_length(shape: Shape) -> int:
    """How many images of `shape` go into a block."""
    return max(1, min(256, BLOCK_BYTES // prod(shape)))


T = TypeVar("T", DataSet, Stream)


def with_pictures(
    of: T, source: Any, frames: int, provenance: Mapping[str, str], pairs: bool = True, **more: Any
) -> T:
    """`of` with pictures as its sources, of so many frames, and this beside its provenance."""
    return replace(
        of,
        source=source,
        classes=() if of.source_kind == "ids" else of.classes,  # they were those of the ids
        source_kind="image",
        source_frames=frames,
        pairs=pairs,
        flips=True,
        actions=None,
        provenance={**of.provenance, **provenance},
        **more,
    )


def as_stream(data: DataSet) -> Stream:
    """The images of `data`, in order."""
    source: Shape | None = None
    if data.source is not None:
        _, channels, height, width = data.source.shape
        source = channels, height, width
    return Stream(
        data.name,
        data.shape,
        len(data),
        _blocks(data),
        data.classes,
        source,
        data.provenance,
        None if data.source is None or len(data.source) == len(data) else len(data.source),
        **data.contents(),
    )


def _blocks(data: DataSet) -> Iterator[Block]:
    step = block_length(data.shape)
    images, sources = len(data), len(data) if data.source is None else len(data.source)
    for some in torch.split(torch.arange(max(images, sources)), step):
        rows, others = some[some < images], some[some < sources]
        y = None if data.y is None else data.y[rows]
        yield Block(data.x[rows], y, None if data.source is None else data.source[others])


def collected(stream: Callable[P, Stream]) -> Callable[P, DataSet]:
    """What is to a data set's stream() its load(): the same, all of it in memory."""

    @wraps(stream)
    def load(*args: P.args, **kwargs: P.kwargs) -> DataSet:
        return collect(stream(*args, **kwargs))

    return load


def collect(stream: Stream) -> DataSet:
    """All of a stream in memory; UserError if it does not fit."""
    parts = stream.parts
    require_memory(stream.name, sum(part.nbytes for part in parts))
    images = [torch.empty((part.total, *part.shape), dtype=part.dtype) for part in parts]
    labels, ends = [], [0 for _ in parts]
    with progress(f"reading {stream.name}", stream.total) as advance:
        for block in stream.blocks:
            for i, part in enumerate(block.images()):
                images[i][ends[i] : ends[i] + len(part)] = part
                ends[i] += len(part)
            if block.y is not None:
                labels.append(block.y)
            advance(len(block.x))
    x, *source = (whole[:end] for whole, end in zip(images, ends, strict=True))
    return DataSet(
        stream.name,
        x,
        torch.cat(labels) if labels else None,
        source[0] if source else None,
        stream.classes,
        stream.provenance,
        **stream.contents(),
    )
