"""Two sets of images of which no two belong together, as the images and the sources of one."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import torch

from ganlib.common.datasets._stream import Block, Stream
from ganlib.common.spec import DataSet


def with_unpaired(data: DataSet, other: DataSet) -> DataSet:
    """`data` with the images of `other` as its sources."""
    return replace(
        data,
        source=other.x,
        classes=() if data.source_kind == "ids" else data.classes,  # they were those of the ids
        source_kind="image",
        source_frames=other.frames,
        provenance=_provenance(data.provenance, other),
    )


def stream_unpaired(stream: Stream, other: Stream) -> Stream:
    """The same of streams."""

    def blocks() -> Iterator[Block]:
        none, no_other = (
            Block(torch.empty(0, *shape, dtype=torch.uint8))
            for shape in (stream.shape, other.shape)
        )
        for mine, theirs in zip_longest(stream.blocks, other.blocks):
            yield (mine or none)._replace(source=(theirs or no_other).x)

    return replace(
        stream,
        blocks=blocks(),
        classes=() if stream.source_kind == "ids" else stream.classes,
        source=other.shape,
        source_kind="image",
        source_frames=other.frames,
        sources=other.total,
        provenance=_provenance(stream.provenance, other),
    )


def _provenance(own: Mapping[str, str], other: Any) -> dict[str, str]:
    theirs = {f"sources' {key}": value for key, value in other.provenance.items()}
    return {**own, **theirs, "sources": f"unpaired, {other.name}"}
