"""What the page's script draws: of each run its log and its scores as numbers, and of each table
which of them stand together.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ganlib.common.io.console import printable
from ganlib.evaluation.comparison.reading import is_number
from ganlib.evaluation.comparison.runs import MEASURED, Run
from ganlib.evaluation.comparison.table import Table

POINTS = 300  # of a curve: about as many as a panel has pixels
FIGURES = 5  # of a number
NOT_LOSSES = {"iteration", *MEASURED}
SIGHTS = {
    "doctor/dis_train": "training images",
    "doctor/dis_test": "held-out images",
    "doctor/dis_fake": "generated images",
}
"""What D gives to which images: these stand in one panel."""
COLOURS, DASHES = 6, 4
"""So many the style sheet has; the colours are told apart by colour-blind readers too."""


def key_of(run: Run) -> str:
    """What the page calls a run."""
    return hashlib.sha256(str(run.path).encode("utf-8", "replace")).hexdigest()[:12]


def looks_of(table: Table) -> dict[str, str]:
    """Classes of each row: a colour, and from the seventh on another dash. Who has begun later
    comes later, so that the others stay as they are.
    """
    begun = {row.whole: min(map(_begun, row.runs)) for row in table.rows}
    ordered = sorted(begun, key=lambda name: (begun[name], name))
    return {
        name: f"s{place % COLOURS} d{place // COLOURS % DASHES}"
        for place, name in enumerate(ordered)
    }


def _begun(run: Run) -> float:
    """When, or gone on with last."""
    try:
        return (run.path if run.external else run.path / "environment.json").stat().st_mtime
    except OSError:
        return 0.0


def plan_of(table: Table) -> dict[str, Any]:
    """The rows with their runs, and the panels: scores first, those by the main protocols ahead.

    The curves of a panel are those of its `parts`, by their keys in what curves_of() has. A number
    with a slash in its name belongs to the group before it.
    """
    main, looks = table.main, looks_of(table)
    scores = sorted(table.columns, key=lambda column: column not in main)
    runs = [run for row in table.rows for run in row.runs]
    known = {name for run in runs for e in run.evaluations for name, _ in e.every()}
    names = {name for run in runs for line in run.log for name in line} - NOT_LOSSES - known
    numbers = sorted(names - SIGHTS.keys(), key=lambda n: (not n.startswith("loss"), n))
    sights = [(name, title) for name, title in SIGHTS.items() if name in names]
    return {
        "rows": [
            {
                "title": printable(row.whole),
                "look": looks[row.whole],
                "runs": [key_of(run) for run in row.runs],
            }
            for row in table.rows
        ],
        "panels": [
            *(
                _panel(c.header, [(f"{c.name} {c.hash}", "")], score=True, main=c in main)
                for c in scores
            ),
            *([_panel("What the discriminator sees", sights)] if sights else []),
            *(_panel(name.rpartition("/")[2], [(name, "")], name) for name in numbers),
        ],
    }


def _panel(
    title: str,
    parts: Sequence[tuple[str, str]],
    name: str = "",
    score: bool = False,
    main: bool = True,
) -> dict[str, Any]:
    return {
        "title": printable(title),
        "parts": [{"key": key, "title": printable(words)} for key, words in parts],
        "group": printable(name.rpartition("/")[0]),
        "score": score,
        "main": main,
    }


def curves_of(run: Run) -> dict[str, Any]:
    """Of the log at most POINTS means of equally many neighbours, by name, with None where there
    is no number; of scores all: for each key iterations and values.

    `seconds` count on where a run was gone on with.
    """
    lines = [
        {**line, "seconds": seconds} for line, seconds in zip(run.log, run.elapsed, strict=True)
    ]
    step = max(1, math.ceil(len(lines) / POINTS))
    groups = [lines[i : i + step] for i in range(0, len(lines), step)]
    names = dict.fromkeys(name for line in lines for name in line)
    log = {name: [_mean(group, name) for group in groups] for name in names}
    scores: dict[str, tuple[list[int], list[float | None]]] = {}
    for evaluation in run.evaluations:
        for name, score in evaluation.every():
            x, y = scores.setdefault(f"{name} {score.hash}", ([], []))
            x.append(evaluation.iteration)
            y.append(_short(score.value))
    return {
        "seed": run.seed,
        "log": {name: values for name, values in log.items() if any(v is not None for v in values)},
        "scores": scores,
    }


def _mean(lines: Sequence[Mapping[str, Any]], name: str) -> float | None:
    known = [float(line[name]) for line in lines if is_number(line.get(name))]
    return _short(sum(known) / len(known)) if known else None


def _short(value: float) -> float | None:
    """As precise as a curve can show it."""
    number = float(f"{value:.{FIGURES}g}")
    return int(number) if number.is_integer() and abs(number) < 1e15 else number
