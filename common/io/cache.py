"""The folder of what is computed or downloaded once per machine, by one process at a time."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganlib.common.io.console import PATIENCE, note
from ganlib.common.io.files import expand

POLL = 0.1  # seconds between two tries of who waits for a lock


def cache_folder() -> Path:
    """The environment variable GANLIB_CACHE, or ~/.cache/ganlib; it need not exist. UserError if it
    begins with a home folder that there is not.
    """
    return expand(os.environ.get("GANLIB_CACHE") or "~/.cache/ganlib")


@contextmanager
def locked(path: Path, words: str = "") -> Iterator[None]:
    """One process of this machine at a time is inside, for one `path`; ends with its process. Who
    waits for long says so in these words.

    Where locks or the folder cannot be had nobody waits: files are atomic, so the work is merely
    done twice.
    """
    try:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f".{path.name}.lock").open("ab")
    except (ImportError, OSError):
        yield
        return
    with file:
        late = time.monotonic() + PATIENCE
        with suppress(OSError):  # some network file systems have no locks
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(POLL)
                if words and time.monotonic() > late:
                    note(words)
                    words = ""
        yield
