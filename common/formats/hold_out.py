"""Which files of a folder without test images are kept from training, to be its test images."""

import os
from collections.abc import Sequence
from hashlib import sha256
from math import ceil
from typing import Protocol, TypeVar

from ganlib.common.formats.stream import NoSuchSplit


class Named(Protocol):
    """A file, or a video of several, by its place in the folder."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def of_split(items: Sequence[T], split: str, hold_out: float) -> list[T]:
    """Those of all items that are of one split. hold_out: the part of them that is for tests, from
    1 on how many are, at least one less than all; 0: all are of either split.

    The digests of their names choose, so that of a folder to which files are added most of what was
    held out stays so. NoSuchSplit if there are no two items.
    """
    if not hold_out:
        return list(items)
    n = int(hold_out) if hold_out >= 1 else ceil(hold_out * len(items))
    names = sorted((item.name for item in items), key=lambda n: sha256(os.fsencode(n)).digest())
    held = set(names[: min(n, len(names) - 1)])
    if split == "test" and not held:
        raise NoSuchSplit("Of one file nothing can be held out.")
    return [item for item in items if (item.name in held) == (split == "test")]
