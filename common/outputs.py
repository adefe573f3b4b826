"""What may be written over: what ganlib wrote itself, and anything where --force says so."""

import os
from collections.abc import Iterable
from pathlib import Path

from ganlib.common.errors import UserError
from ganlib.common.paths import reading

MARK = "written by ganlib"
"""Stands at the beginning or the end of the pictures, tables and exports that ganlib writes. Data
sets, methods and settings are somebody's work, and have no mark.
"""
LOOKED_AT = 2**16  # bytes at either end


def check_free(paths: Iterable[Path], force: bool, option: str = "--out") -> None:
    """UserError if something else than ganlib's own is where a file is to be written, unless
    `force` says that it may be replaced.
    """
    taken = [] if force else [path for path in paths if _is_foreign(path)]
    if taken:
        more = f" and {len(taken) - 1:,} more" if len(taken) > 1 else ""
        raise UserError(
            f"{taken[0]}{more} {'are' if more else 'is'} there already: give --force, or another "
            f"{option}."
        )


def is_ours(path: Path) -> bool:
    """Whether a file says that ganlib wrote it."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.read(LOOKED_AT)
        file.seek(max(0, path.stat().st_size - LOOKED_AT))
        return MARK.encode() in first or MARK.encode() in file.read(LOOKED_AT)


def _is_foreign(path: Path) -> bool:
    with reading(path):
        return os.path.lexists(path) and not is_ours(path)
