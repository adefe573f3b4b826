"""Files of JSON objects, one a line, each about one iteration."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.files import atomic


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add one object at the end."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All objects, [] if there is no file; a last line that a crash cut off is left out."""
    lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def cut_lines(path: Path, iteration: int) -> None:
    """Drop what a run that goes on from `iteration` will write again."""
    if path.exists():
        keep = [line for line in read_lines(path) if line["iteration"] <= iteration]
        with atomic(path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in keep), "utf-8")
