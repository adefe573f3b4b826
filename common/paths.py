"""Paths that a user gives: what the system refuses becomes one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganlib.common.errors import UserError


def expand(path: str | Path) -> Path:
    """The path with ~ or ~NAME as the home folder; UserError if there is no such folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(
            f"{path} cannot be found: there is no home folder '{Path(path).parts[0]}'; give the "
            "whole path."
        ) from None


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
