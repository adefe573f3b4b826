"""Runs below folders, in whose files anything may stand; what is damaged is named in a sentence."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ganlib.common.errors import UserError
from ganlib.common.io.files import reading, regular
from ganlib.common.io.jsonl import EACH, is_count, read_lines
from ganlib.evaluation.comparison.runs import MEASURED, REAL, Evaluation, Recorded, Run
from ganlib.evaluation.protocol import BASELINES, DIRECTIONS

_OURS = {"algorithm", "dataset"}
LONGEST = 2**16
"""Characters; a config.yaml of ganlib's is of some thousand."""
LARGEST = 1e30
"""Beyond it, sums and scales of a page would overflow; nothing that is measured is as large."""


def find_runs(folders: Iterable[Path], trials: bool = False) -> list[Run]:
    """Every run at or below the folders, by path, with its trials if asked for; UserError if there
    is none, or a folder or a file of one cannot be read.
    """
    folders = list(folders)
    for folder in folders:
        with reading(folder):
            if not folder.is_dir():
                raise UserError(f"There is no folder {folder}; name one with runs in it.")
    found = {os.path.realpath(path): path for top in folders for path in _below(top)}
    runs = [run for _, path in sorted(found.items()) if (run := read_run(path, trials))]
    if not runs:
        places = " or ".join(map(str, folders))
        raise UserError(f"There is no run in {places} yet; train.py makes them below result.")
    return runs


def _swept(plan: Path) -> tuple[str, ...]:
    """The settings that a grid gives several values, by its plan; () without one."""
    try:
        swept = yaml.safe_load(regular(plan, LONGEST).read_text("utf-8"))["swept"]
        return tuple(name for name in swept if isinstance(name, str))
    except Exception:  # of use to a reader only, and what may stand there is no fixed set
        return ()


def _below(top: Path) -> Iterator[Path]:
    """The folders with a config.yaml, but hidden ones, as of what was in a run's folder earlier."""

    def stop(error: OSError) -> None:
        raise error

    with reading(top):
        for folder, inside, files in os.walk(top, onerror=stop):
            inside[:] = [name for name in inside if name[0] != "."]
            if "config.yaml" in files:
                yield Path(folder)


def read_run(path: Path, trials: bool = False) -> Run | None:
    """The run in a folder; None if its config.yaml is another program's."""
    with reading(path):
        settings = _settings(regular(path / "config.yaml"))
        environment = read_environment(path / "environment.json")
        if settings is None:
            return None
        if revision := environment.get("revision"):  # by which equal settings train otherwise
            settings["revision"] = revision
        return Run(
            path,
            settings,
            environment,
            _log(path / "log.jsonl"),
            _evaluations(path / "scores.jsonl", path / "trials.jsonl" if trials else None),
            (path / "DONE").exists(),
            swept=_swept(path.parent / "grid.yaml"),
        )


def _settings(path: Path) -> dict[str, Any] | None:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
        # a few lines of aliases, which ganlib never writes, are billions of values
        endless = len(text) > LONGEST or any(
            isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)
        )
        settings = None if endless else yaml.safe_load(text)
    except Exception:  # what yaml raises for odd values of a tagged type is no fixed set
        raise UserError(f"{path} cannot be read; repair it or move its run elsewhere.") from None
    if endless and all(re.search(rf"^{name} *:", text, re.MULTILINE) for name in _OURS):
        raise UserError(
            f"{path} is longer than what ganlib writes, or has aliases (*name), which it never "
            "writes; repair it or move its run elsewhere."
        )
    if not isinstance(settings, dict) or not _OURS <= settings.keys():
        return None
    for name, value in settings.items():
        right = isinstance(value, str) if name in _OURS else is_plain(value)
        right = is_count(value) if name == "seed" else right
        if not isinstance(name, str) or not right:
            raise UserError(
                f"{path} has no value for '{name}' that ganlib would write; repair it or move its "
                "run elsewhere."
            )
    return settings


def read_environment(path: Path) -> dict[str, Any]:
    """{} if the file is missing or damaged."""
    try:
        environment = json.loads(regular(path).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    # of use to a reader only: no reason to refuse a table
    return environment if isinstance(environment, dict) and is_plain(environment) else {}


def _log(path: Path) -> list[dict[str, Any]]:
    lines = read_lines(path)
    for number, line in enumerate(lines, 1):
        for name in MEASURED:
            if line.get(name) is None:
                line.pop(name, None)
            elif not is_number(line[name]):
                raise UserError(
                    f"Line {number} of {path} has a value for {name} that is no number; repair or "
                    "delete the line."
                )
    return lines


def _evaluations(own: Path, tried: Path | None) -> list[Evaluation]:
    """By iteration; of what was scored more than once at an iteration the newest counts. Trials
    stand beside the run's own scores, or alone if it has none.
    """
    scores: dict[int, dict[str, Recorded]] = defaultdict(dict)
    for iteration, name, score in _scores(own):
        scores[iteration].pop(name, None)
        if score is not None:
            scores[iteration][name] = score
    trials: dict[int, dict[tuple[str, str], Recorded]] = defaultdict(dict)
    for iteration, name, score in () if tried is None else _scores(tried):
        if score is not None:
            trials[iteration][name, score.hash] = score
    iterations = sorted([i for i, here in scores.items() if here] or trials)
    named = {i: tuple((name, score) for (name, _), score in trials[i].items()) for i in iterations}
    return [Evaluation(i, scores[i], named[i]) for i in iterations]


def _scores(path: Path) -> Iterator[tuple[int, str, Recorded | None]]:
    """(iteration, name, score) of every score in a file, None for one without a number."""
    for line in read_lines(path, {**EACH, "scores": lambda value: isinstance(value, dict)}):
        for name, given in line["scores"].items():
            try:
                yield line["iteration"], name, recorded(given)
            except ValueError:
                raise UserError(
                    f"{name} at iteration {line['iteration']} of {path} lacks a value, a hash or a "
                    "protocol as ganlib writes them; evaluate that run again."
                ) from None


def recorded(given: Any) -> Recorded | None:
    """A score as files have it, None if its value is no number, as that of a generator that
    diverged; ValueError if it is something else.
    """
    if not isinstance(given, dict) or "value" not in given:
        raise ValueError
    value, protocol, key = given["value"], given.get("protocol"), given.get("hash")
    number = isinstance(value, int | float | None) and not isinstance(value, bool)
    right = isinstance(protocol, dict | None) and is_plain(protocol)
    if not (number and right and isinstance(key, str)):
        raise ValueError
    if not is_number(value):
        return None
    more = _mapping(given.get("more"))
    real = _mapping(more.get("real"))
    baselines = {**_mapping(more.get(BASELINES)), REAL: real.get("value")}
    return Recorded(
        float(value),
        protocol or {},
        key,
        _by_class(more),
        _by_class(real),
        _numbers(baselines),
        better if (better := given.get("better")) in DIRECTIONS else "",
        _numbers({"error": given.get("error")}).get("error"),
    )


def _mapping(value: Any) -> dict[str, Any]:
    """What is no mapping is of no use."""
    return value if isinstance(value, dict) else {}


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if is_number(value)}


def _by_class(more: Mapping[str, Any]) -> dict[str, float]:
    """What is kept beside a score for each class."""
    rows = _mapping(more.get("by_class"))
    return _numbers({name: _mapping(row).get("value") for name, row in rows.items()})


def is_number(value: Any) -> bool:
    """Whether it can be added up and drawn: no bool, not NaN, of a size below LARGEST."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < LARGEST  # false for NaN


def is_plain(value: Any, depth: int = 10) -> bool:
    """Whether it is text, a number, true, false, nothing, or lists and mappings by name of those
    within each other, at most `depth` of them.
    """
    if isinstance(value, list):
        return depth > 0 and all(is_plain(inner, depth - 1) for inner in value)
    if isinstance(value, dict):
        names = all(isinstance(name, str) for name in value)
        return depth > 0 and names and all(is_plain(v, depth - 1) for v in value.values())
    if isinstance(value, int):
        return abs(value) < LARGEST
    return value is None or isinstance(value, str | float)
