"""The files below a folder, in an order that does not depend on the file system, and which of them
are held out.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from hashlib import sha256
from math import ceil
from pathlib import Path

from ganlib.common.data.spec import NoSuchSplit
from ganlib.common.formats.blocks import N
from ganlib.common.io.files import reading


def files(folder: Path) -> Iterator[Path]:
    """Every regular file below `folder`, sorted by path; links are followed, hidden names left out.

    What cannot be looked at (a broken link, a folder without permission) is given like a file, so
    that whoever opens it learns why.
    """
    yield from _below(folder, frozenset())


def subfolders(folder: Path) -> list[Path]:
    """The folders directly inside `folder`, sorted, without hidden ones or those that cannot be
    looked at; UserError if `folder` itself cannot.
    """
    with reading(folder):
        return [path for path in _visible(folder) if os.path.isdir(path)]


def of_split(items: Sequence[N], split: str, hold_out: float) -> list[N]:
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


def _below(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    try:
        place, paths = folder.stat(), _visible(folder)
    except OSError:
        yield folder
        return
    here = (place.st_dev, place.st_ino)
    if here in above:  # a link to a folder that it lies in
        return
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:
            yield path
            continue
        if stat.S_ISDIR(mode):
            yield from _below(path, above | {here})
        elif stat.S_ISREG(mode):
            yield path


def _visible(folder: Path) -> list[Path]:
    return [folder / name for name in sorted(os.listdir(folder)) if name[0] != "."]
