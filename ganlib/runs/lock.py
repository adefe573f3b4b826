"""One process at a time trains in a folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from ganlib.common.errors import UserError
from ganlib.common.io.files import PREFIX, writing

NAME = f"{PREFIX}lock"


class HeldError(UserError):
    """Another process has the folder."""


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Have the folder for this process: whether one that had it was killed. HeldError with the
    process that has it already.

    The system lets go of the lock however its process ends. Where there are no locks (Windows, some
    network file systems), nothing is held.
    """
    path = folder / NAME
    with writing(folder):
        file = _taken(path)
    with file:
        try:
            with writing(folder):
                killed = file.seek(0, os.SEEK_END) > 0
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
            yield killed
        finally:
            # while the lock is held: afterwards the file may be the next owner's
            with suppress(OSError):
                path.unlink()


def _taken(path: Path) -> FileIO:
    """The file, open and locked."""
    while True:
        file = path.open("ab+", buffering=0)
        try:
            _lock(file)
            if not _replaced(file, path):
                return file
        except (BlockingIOError, PermissionError):
            file.seek(0)
            owner = file.read().decode() or "another process"
            file.close()
            raise HeldError(
                f"{path.parent} is being trained in by {owner}: wait for its end, stop it, or "
                "give another --out."
            ) from None
        file.close()


def _lock(file: FileIO) -> None:
    try:
        import fcntl
    except ImportError:
        return
    try:
        # a record lock, which the processes that read images ahead do not inherit
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise
    except OSError:
        return


def _replaced(file: FileIO, path: Path) -> bool:
    """Whether the former owner has removed the file since it was opened."""
    try:
        return not os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return True
