"""The classes of maps, named in a file: classes.txt, a name in each line, class 0 in the first."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ganlib.common.errors import UserError
from ganlib.common.formats.decode import Unusable
from ganlib.common.io.files import MIB, reading, regular

TABLE = "classes.txt"
HINT = "give a name in each line, that of class 0 first."
MOST = 4096
"""Classes of maps: networks are shown a plane for each."""


def class_table(folder: Path) -> tuple[str, ...] | None:
    """The names in the folder's table, None without one; UserError for one of no use."""
    path = folder / TABLE
    with reading(path):
        if not path.is_file():
            return None
        try:
            text = regular(path, MIB).read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is no text in UTF-8: {HINT}") from error
    names = tuple(line.strip() for line in text.rstrip().splitlines())
    if not names or "" in names:
        raise UserError(f"{path} has an empty line: {HINT}")
    if len(names) > MOST:
        raise UserError(f"{path} names {len(names):,} classes, and {MOST:,} are the most: {HINT}")
    if len(set(names)) < len(names):
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise UserError(f"{path} names '{twice}' twice: {HINT}")
    return names


def check_numbers(numbers: NDArray[Any], highest: int, what: str) -> None:
    """Unusable for numbers other than 0 to `highest`."""
    if numbers.min() < 0 or numbers.max() > highest:
        raise Unusable(f"with {what} other than 0 to {highest}")
