"""Finding runs below folders and reading them; what is damaged is named in a sentence."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from evaluation.comparison.runs import Evaluation, Recorded, Run


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """Every run at or below the folders, by path; UserError if there is none."""
    folders = list(folders)
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}; name one with runs in it.")
    found = {path.resolve(): path for top in folders for path in top.rglob("config.yaml")}
    runs = [run for path in sorted(found.values()) if (run := read_run(path.parent)) is not None]
    if not runs:
        places = " or ".join(map(str, folders))
        raise UserError(f"There is no run in {places} yet; train.py makes them below result.")
    return runs


def read_run(path: Path) -> Run | None:
    """The run in a folder; None if its config.yaml is another program's."""
    try:
        settings = yaml.safe_load((path / "config.yaml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise UserError(
            f"{path / 'config.yaml'} cannot be read; repair it or move its run elsewhere."
        ) from None
    if not isinstance(settings, dict) or not {"algorithm", "dataset"} <= settings.keys():
        return None
    return Run(
        path,
        settings,
        _environment(path / "environment.json"),
        _lines(path / "log.jsonl", {"iteration": int}),
        _evaluations(path / "scores.jsonl"),
        (path / "DONE").exists(),
    )


def _environment(path: Path) -> dict[str, Any]:
    try:
        environment = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # of use to a reader only: no reason to refuse a table
        return {}
    return environment if isinstance(environment, dict) else {}


def _lines(path: Path, needed: Mapping[str, type]) -> list[dict[str, Any]]:
    """The objects of a .jsonl file; a last line that a crash cut off is left out."""
    whole = path.read_text("utf-8", "replace").split("\n")[:-1] if path.exists() else []
    lines = []
    for number, text in enumerate(whole, 1):
        try:
            line = json.loads(text)
            if not all(isinstance(line[name], kind) for name, kind in needed.items()):
                raise TypeError
            lines.append(line)
        except (ValueError, TypeError, KeyError):
            raise UserError(
                f"Line {number} of {path} is not a JSON object with {' and '.join(needed)}; "
                "repair or delete the line."
            ) from None
    return lines


def _evaluations(path: Path) -> list[Evaluation]:
    """By iteration; of what was scored more than once at an iteration the newest counts."""
    found: dict[int, dict[str, Recorded]] = {}
    for line in _lines(path, {"iteration": int, "scores": dict}):
        scores = found.setdefault(line["iteration"], {})
        for name, given in line["scores"].items():
            try:
                value, key = given["value"], str(given["hash"])
                scores.pop(name, None)
                if value is not None and math.isfinite(value):
                    scores[name] = Recorded(float(value), dict(given.get("protocol") or {}), key)
            except (KeyError, TypeError, ValueError):
                raise UserError(
                    f"{name} at iteration {line['iteration']} of {path} has no value and hash; "
                    "evaluate that run again."
                ) from None
    return [Evaluation(iteration, scores) for iteration, scores in sorted(found.items()) if scores]
