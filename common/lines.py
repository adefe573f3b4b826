"""Files of JSON objects, one a line, each about one iteration."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import atomic

NEEDED: Mapping[str, type] = {"iteration": int}


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add one object at the end."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_lines(path: Path, needed: Mapping[str, type] = NEEDED) -> list[dict[str, Any]]:
    """All objects, [] if there is no file; a last line that a crash cut off is left out.

    needed: names that every object has, and the types of their values. UserError for a line that
    is something else.
    """
    try:
        texts = path.read_text("utf-8", "replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [_object(path, number, text, needed) for number, text in enumerate(texts, 1)]


def cut_lines(path: Path, iteration: int) -> None:
    """Drop what a run that goes on from `iteration` will write again."""
    if path.exists():
        keep = [line for line in read_lines(path) if line["iteration"] <= iteration]
        with atomic(path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in keep), "utf-8")


def _object(path: Path, number: int, text: str, needed: Mapping[str, type]) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict) or not all(
        isinstance(line.get(name), kind) and not isinstance(line[name], bool)
        for name, kind in needed.items()
    ):
        raise UserError(
            f"Line {number} of {path} is not a JSON object with {' and '.join(needed)}; repair or "
            "delete the line."
        )
    return line
