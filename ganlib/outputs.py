"""Where the verbs write what --out names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import UserError


def check_file(path: Path, suffixes: tuple[str, ...], kinds: str) -> None:
    """UserError unless `path` ends in one of the suffixes (in lower case) and is no folder."""
    if path.suffix.lower() not in suffixes:
        raise UserError(f"--out {path} cannot be written: give {kinds}.")
    if path.is_dir():
        raise UserError(f"--out {path} is a folder that is there already; give another name.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folders above `path`; what the system refuses inside becomes a UserError."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What the system refuses inside becomes a UserError that names `path`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from None
