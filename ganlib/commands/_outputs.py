"""Where the verbs write what --out names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganlib.common.errors import UserError
from ganlib.common.paths import writing


def check_file(path: Path, suffixes: tuple[str, ...], kinds: str, option: str = "--out") -> None:
    """UserError unless `path` ends in one of the suffixes (in lower case) and is no folder."""
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path} cannot be written: give {kinds}.")
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder that is there already; give another name.")


@contextmanager
def output(path: Path) -> Iterator[None]:
    """Make the folders above `path`; what the system refuses inside becomes a UserError."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
