"""The files below a folder, in an order that does not depend on the file system."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

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
