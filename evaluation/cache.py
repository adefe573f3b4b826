"""The folder of what is computed or downloaded once per machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganlib.common.paths import expand


def cache_folder() -> Path:
    """The environment variable GANLIB_CACHE, or ~/.cache/ganlib; it need not exist. UserError if it
    begins with a home folder that there is not.
    """
    return expand(os.environ.get("GANLIB_CACHE") or "~/.cache/ganlib")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process of this machine at a time is inside, for one `path`; ends with its process.

    Where locks or the folder cannot be had nobody waits: files are atomic, so the work is merely
    done twice.
    """
    with _handle(path.with_name(f".{path.name}.lock")):
        yield


@contextmanager
def _handle(lock: Path) -> Iterator[None]:
    try:
        import fcntl

        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("ab")
    except (ImportError, OSError):
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # some network file systems have no locks
            pass
        yield
