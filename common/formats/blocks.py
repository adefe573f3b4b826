"""Many image files decoded by several threads, block by block, less the useless ones."""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from ganlib.common.data import Shape
from ganlib.common.errors import UserError
from ganlib.common.formats.decode import SMALLER, SUFFIXES, Pixels, Source, Unusable, header, pixels
from ganlib.common.formats.resize import CROPPED, Sizing
from ganlib.common.formats.stream import Block, block_length
from ganlib.common.io.console import note, printable, progress

DEFAULT_SIZE = 64  # of sources whose images have no common size
MAX_THREADS = 16
EXAMPLES = 3
REMARKS: list[str] = []
"""The lines of this process on what became of images."""

T = TypeVar("T")
S = TypeVar("S")


class Named(Protocol):
    """A file, or a video of several, by its place in the folder."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


class Item(NamedTuple):
    """An image to be decoded: a name to call it by, its file or the bytes of it, its label, and the
    file of what a translation to it starts from.
    """

    name: str
    source: Source
    label: int | None = None
    start: Source | None = None


class Decoded(NamedTuple):
    """An image, what its translation starts from, and what was changed, in words."""

    x: Pixels
    start: NDArray[Any] | None = None
    changes: Sequence[str] = ()


class Account:
    """What became of the images of a source, for one line on stderr."""

    def __init__(self, name: str, place: Path) -> None:
        self.name, self.place, self.used = name, place, 0
        self.useless: dict[str, list[str]] = {}
        self.changed: Counter[str] = Counter()

    def skip(self, name: str, reason: str) -> None:
        """Note that `name` was left out."""
        self.useless.setdefault(reason, []).append(os.fsencode(name).decode("utf-8", "replace"))

    def usable(self, items: list[N], results: list[T | Unusable]) -> Iterator[tuple[N, T]]:
        """Items with their results; those without are left out."""
        for item, result in zip(items, results, strict=True):
            if isinstance(result, Unusable):
                self.skip(item.name, str(result))
            else:
                yield item, result

    def close(self, shape: Shape, classes: tuple[str, ...], what: str = "") -> None:
        """Print the line, with `what` the shape is of; UserError if nothing could be used."""
        if not self.used:
            self.refuse()
        kinds = f" of {count(len(classes), 'class', 'classes')}" if classes else ""
        colour = "grey" if shape[0] == 1 else "RGB"
        changes = "; " * bool(self.changed)
        changes += ", ".join(f"{n:,} {what}" for what, n in sorted(self.changed.items()))
        line = (
            f"{self.name}: {count(self.used, 'image', 'images')}{kinds}, "
            f"{what}{shape[2]}x{shape[1]} {colour}{changes}{self.skipped()}"
        )
        REMARKS.append(printable(line))
        note(REMARKS[-1])

    def refuse(self) -> NoReturn:
        """UserError with the reasons why nothing could be used."""
        advice = f"images are files that end in one of {' '.join(sorted(SUFFIXES))}."
        if any(reason.startswith(SMALLER) for reason in self.useless):
            advice = "ask for a smaller size; `ganlib data prepare --enlarge` takes them too."
        raise UserError(f"There is no usable image in {self.place}{self.skipped()}: {advice}")

    def skipped(self) -> str:
        """What was left out and why, as the end of a sentence."""
        if not self.useless:
            return ""
        parts = []
        for reason, names in sorted(self.useless.items()):
            more = ", ..." if len(names) > EXAMPLES else ""
            parts.append(f"{len(names):,} {reason} ({', '.join(names[:EXAMPLES])}{more})")
        return f"; skipped {sum(map(len, self.useless.values())):,}: {', '.join(parts)}"


def decoded(
    items: Iterable[Item],
    shape: Shape,
    classes: tuple[str, ...],
    account: Account,
    sizing: Sizing = CROPPED,
    start: Callable[[Source], NDArray[Any]] | None = None,
) -> Iterator[Block]:
    """The usable ones of `items` as blocks, in order; the account is closed at the end. start:
    decodes what the items' translations start from, if they have that.
    """

    def decode(item: Item) -> Decoded:
        x, beginning = pixels(item.source, shape[0], shape[1], sizing), None
        if item.start is not None and start is not None:
            try:
                beginning = start(item.start)
            except Unusable as error:
                raise Unusable(f"with sources {error}") from error
        width, height, _ = header(item.source)
        return Decoded(x, beginning, sizing.words((width, height), shape[1]))

    return gathered(decode, items, shape, classes, account)


def gathered(
    decode: Callable[[Item], Decoded],
    items: Iterable[Item],
    shape: Shape,
    classes: tuple[str, ...],
    account: Account,
) -> Iterator[Block]:
    """What `decode` makes of items, images of `shape`, as decoded() gives it; an item of which it
    raises Unusable is left out.
    """
    for group, results in in_threads(decode, items, block_length(shape)):
        found = list(account.usable(group, results))
        account.used += len(found)
        account.changed.update(change for _, one in found for change in one.changes)
        labels = [item.label for item, _ in found if item.label is not None]
        starts = [one.start for _, one in found if one.start is not None]
        if found:
            yield Block(
                torch.from_numpy(np.stack([one.x for _, one in found])),
                torch.tensor(labels) if labels else None,
                torch.from_numpy(np.stack(starts)) if starts else None,
            )
    account.close(shape, classes)


def in_threads(
    function: Callable[[S], T], items: Iterable[S], length: int
) -> Iterator[tuple[list[S], list[T | Unusable]]]:
    """`items` in groups of `length`, each with what `function` makes of them, or the Unusable that
    it raised.
    """

    def attempt(item: S) -> T | Unusable:
        try:
            return function(item)
        except Unusable as error:
            return error

    rest = iter(items)
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        while group := list(islice(rest, length)):
            with warnings.catch_warnings():  # of PIL, about files that it reads all the same
                warnings.simplefilter("ignore")
                results = list(pool.map(attempt, group))
            yield group, results


def looked(
    account: Account, items: Sequence[N], look: Callable[[N], T], at_once: int
) -> Iterator[tuple[N, T]]:
    """Each of the items with what `look` makes of it; one of which it raises Unusable goes to the
    account. at_once: how many between two updates of the progress bar.
    """
    with progress(f"looking at {account.name}", len(items)) as advance:
        for group, results in in_threads(look, items, at_once):
            yield from account.usable(group, results)
            advance(len(group))


def count(n: int, one: str, many: str) -> str:
    """A number with its word."""
    return f"{n:,} {one if n == 1 else many}"
