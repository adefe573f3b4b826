"""Paths that a user gives: what the system refuses becomes one sentence."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganlib.common.errors import UserError

MIB = 2**20
WEIGHTS = 1024 * MIB
"""What no file of weights exceeds that a network here is given: VGG19's takes 549 MiB."""


def nameable(path: str | Path) -> bool:
    """Whether a file can be called so: neither a zero nor half of a pair of surrogates is in it."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def expand(path: str | Path) -> Path:
    """The path with ~ or ~NAME as the home folder; UserError if there is no such folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(
            f"{path} cannot be found: there is no home folder '{Path(path).parts[0]}'; give the "
            "whole path."
        ) from None


def regular(path: Path, most: int | None = None) -> Path:
    """`path`, to be read: UserError for a pipe, which would be waited for, a device, which may
    never end, and a file of more than `most` bytes. What is not there, or is a folder, is left to
    whoever opens it.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):  # the latter of a zero in it
        return path
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise UserError(f"{path} is a pipe or a device: save what it gives as a file first.")
    if most is not None and found.st_size > most:
        raise UserError(
            f"{path} has {found.st_size / MIB:,.0f} MiB, and what belongs there at most "
            f"{most / MIB:,.0f} MiB: give another file."
        )
    return path


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """What the system refuses inside (a name too long, no permission) becomes a UserError, about
    `path` where the system names none.
    """
    try:
        yield
    except OSError as error:
        what = error.filename if isinstance(error.filename, str) else path
        raise UserError(f"{what} cannot be read: {error.strerror or error}.") from None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system refuses inside becomes a UserError that names `path`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from None
