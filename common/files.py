"""Files that are whole or not there."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# what mkstemp makes of the prefix and suffix that `atomic` gives it
_TORN = re.compile(r"\..+\.[a-z0-9_]{8}(\.\w+)?")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; moved to `path` on success, removed on any
    failure.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary folder in `folder`, whose files are moved there together on success."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{folder.name}.") as name:
        yield Path(name)
        for file in Path(name).iterdir():
            os.replace(file, folder / file.name)


def remove_torn(folder: Path) -> None:
    """Remove what `atomic` left anywhere below `folder` in processes that were killed."""
    for path in folder.rglob(".*"):
        if _TORN.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
