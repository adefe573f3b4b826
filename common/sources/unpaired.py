"""Two sets of images of which no two belong together, as the images and the sources of one."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest

import torch

from ganlib.common.data.spec import UNPAIRED, DataSet
from ganlib.common.formats.stream import Block, Stream, with_pictures


def with_unpaired(data: DataSet, other: DataSet) -> DataSet:
    """`data` with the images of `other` as its sources."""
    found = with_pictures(data, other.x, other.frames, _provenance(other), pairs=False)
    return replace(found, held_out=(*data.held_out, *other.held_out))


def stream_unpaired(stream: Stream, other: Stream) -> Stream:
    """The same of streams."""

    def blocks() -> Iterator[Block]:
        none, no_other = (
            Block(torch.empty(0, *shape, dtype=torch.uint8))
            for shape in (stream.shape, other.shape)
        )
        for mine, theirs in zip_longest(stream.blocks, other.blocks):
            yield (mine or none)._replace(source=(theirs or no_other).x)

    told = with_pictures(stream, other.shape, other.frames, _provenance(other), False)
    return replace(told, blocks=blocks(), sources=other.total)


def _provenance(other: DataSet | Stream) -> dict[str, str]:
    theirs = {f"sources' {key}": value for key, value in other.in_words(other.provenance).items()}
    return {**theirs, "sources": f"{UNPAIRED}, {other.name}"}
