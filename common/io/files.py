"""Files: whole or not there, as users name them, and what may be written over: what ganlib wrote
itself, and anything where --force says so.
"""

import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from ganlib.common.errors import UserError

PREFIX = ".ganlib-"
"""How the names of temporary files begin, which nobody else would choose; they are short, so that
the name of the file itself may be as long as the system allows.
"""
# of files; and of folders, as tempfile makes them
_TORN = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}(\.\w+)?")


@contextmanager
def atomic(path: Path, new: bool = False) -> Iterator[Path]:
    """A temporary name beside `path` to write to; moved to `path` on success, removed on any
    failure. `new`: FileExistsError if a file is there by then.
    """
    temporary = path.with_name(f"{PREFIX}{token_hex(4)}{path.suffix}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if new:
            path.open("xb").close()  # the name is ours before the file is
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, errors: str = "strict") -> None:
    """Write a file as UTF-8, whole or not at all; errors: as str.encode() takes them."""
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8", errors)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary folder in `folder`, whose files are moved there together on success."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=PREFIX) as name:
        yield Path(name)
        for file in Path(name).iterdir():
            os.replace(file, folder / file.name)


def zip_folder(folder: Path, archive: Path, name: str) -> None:
    """The files of a folder in one, as those of a folder `name`."""
    with atomic(archive) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as written:
        written.comment = MARK.encode()
        for file in sorted(folder.iterdir()):
            written.write(file, f"{name}/{file.name}")


def remove_torn(folder: Path) -> None:
    """Remove what `atomic` left directly in `folder` in processes that were killed."""
    for path in folder.glob(f"{PREFIX}*"):
        if _TORN.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


MIB = 2**20
WEIGHTS = 2048 * MIB
"""What no file of weights exceeds that a network here is given: CLIP's takes 1,633 MiB."""


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
def as_user_error(
    words: Callable[[Any], str], kind: type[Exception] | tuple[type[Exception], ...] = Exception
) -> Iterator[None]:
    """What of this kind goes wrong inside becomes a UserError in `words`; a UserError stays."""
    try:
        yield
    except UserError:
        raise
    except kind as error:
        raise UserError(words(error)) from error


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


def writing(path: Path) -> AbstractContextManager[None]:
    """What the system refuses inside becomes a UserError that names `path`."""
    return as_user_error(lambda e: f"{path} cannot be written: {e.strerror or e}.", OSError)


@contextmanager
def output(path: Path) -> Iterator[None]:
    """Make the folders above `path`; what the system refuses inside becomes a UserError."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield


MARK = "written by ganlib"
"""Stands at the beginning or the end of the pictures, tables and exports that ganlib writes. Data
sets, methods and settings are somebody's work, and have no mark.
"""
LOOKED_AT = 2**16  # bytes at either end


def check_free(paths: Iterable[Path], force: bool, option: str = "--out") -> None:
    """UserError if something else than ganlib's own is where a file is to be written, unless
    `force` says that it may be replaced.
    """
    taken = []
    for path in () if force else paths:
        with reading(path):
            taken += [path] if os.path.lexists(path) and not is_ours(path) else []
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
