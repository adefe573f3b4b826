"""Files of JSON objects, one a line, each about one iteration."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganlib.common.errors import UserError
from ganlib.common.io.files import regular, write_text

Needed = Mapping[str, Callable[[Any], bool]]
"""Names that every object has, and what tells whether a value may be theirs."""


def is_count(value: Any) -> bool:
    """Whether it is an integer from 0 on, as an iteration or a seed."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


EACH: Needed = {"iteration": is_count}


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add one object at the end."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_lines(path: Path, needed: Needed = EACH) -> list[dict[str, Any]]:
    """All objects, [] if there is no file; a last line that a crash cut off is left out.

    UserError for a line that is something else.
    """
    try:
        texts = regular(path).read_text("utf-8", "replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [_object(path, number, text, needed) for number, text in enumerate(texts, 1)]


def cut_lines(path: Path, iteration: int, *new: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Drop what a run that goes on from `iteration` will write again, and add `new` lines: what is
    there then.
    """
    kept = [line for line in read_lines(path) if line["iteration"] <= iteration]
    lines = [*kept, *new]
    if lines or path.exists():
        write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
    return lines


def _object(path: Path, number: int, text: str, needed: Needed) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict) or not all(fits(line.get(n)) for n, fits in needed.items()):
        raise UserError(
            f"Line {number} of {path} is not a JSON object with {' and '.join(needed)}; repair or "
            "delete the line."
        )
    return line
