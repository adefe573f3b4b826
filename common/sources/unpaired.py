"""unpaired:NAME: the images of any other data set, which belong to none of these"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

import torch

from ganlib.common.data.spec import UNPAIRED, DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Block, Stream, with_pictures
from ganlib.common.query import OWN, DataQuery, Source, undivided


def make(text: str) -> "Unpaired":
    """Any data set by its name, or a folder or a file."""
    name = text.partition(":")[2]
    if not name:
        raise UserError(f"The source '{text}' should name a data set, as in unpaired:emoji.")
    return Unpaired(name)


@dataclass(frozen=True)
class Unpaired(Source):
    """Sources that are the images of another data set."""

    name: str
    of_file = False

    def open(self, query: DataQuery) -> DataSet:
        mine = replace(query, source=None, subset=None)
        return with_unpaired(mine.open(), self._other(query).open())

    def stream(self, query: DataQuery, sizing: Sizing = CROPPED) -> Stream:
        stream, other = super().stream(query, sizing), self._other(query).stream(sizing)

        def blocks() -> Iterator[Block]:
            none, no_other = (
                Block(torch.empty(0, *shape, dtype=torch.uint8))
                for shape in (stream.shape, other.shape)
            )
            for mine, theirs in zip_longest(stream.blocks, other.blocks):
                yield (mine or none)._replace(source=(theirs or no_other).x)

        told, more = _provenance(other), {"blocks": blocks(), "sources": other.total}
        return with_pictures(stream, other.shape, other.frames, told, pairs=False, **more)

    def fit(self, data: DataSet, query: DataQuery) -> DataSet:
        return with_unpaired(OWN.fit(data, query), self._other(query).open())

    def holds_out(self, query: DataQuery) -> bool:
        return super().holds_out(query) or undivided(self.name)

    def _other(self, query: DataQuery) -> DataQuery:
        return replace(query, dataset=self.name, source=None, memory=None, subset=None)


def with_unpaired(data: DataSet, other: DataSet) -> DataSet:
    """`data` with the images of `other` as its sources."""
    held_out = (*data.held_out, *other.held_out)
    told = _provenance(other)
    return with_pictures(data, other.x, other.frames, told, pairs=False, held_out=held_out)


def _provenance(other: DataSet | Stream) -> dict[str, str]:
    theirs = {f"sources' {key}": value for key, value in other.in_words(other.provenance).items()}
    return {**theirs, "sources": f"{UNPAIRED}, {other.name}"}
