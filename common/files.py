"""Files that are whole or not there."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".ganlib-"
"""How the names of temporary files begin, which nobody else would choose; they are short, so that
the name of the file itself may be as long as the system allows.
"""
# what mkstemp makes of it and of a suffix
_TORN = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}(\.\w+)?")


@contextmanager
def atomic(path: Path, new: bool = False) -> Iterator[Path]:
    """A temporary name beside `path` to write to; moved to `path` on success, removed on any
    failure. `new`: FileExistsError if a file is there by then.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PREFIX, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if new:
            path.open("xb").close()  # the name is ours before the file is
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary folder in `folder`, whose files are moved there together on success."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=PREFIX) as name:
        yield Path(name)
        for file in Path(name).iterdir():
            os.replace(file, folder / file.name)


def remove_torn(folder: Path) -> None:
    """Remove what `atomic` left directly in `folder` in processes that were killed."""
    for path in folder.glob(f"{PREFIX}*"):
        if _TORN.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
