"""Rows: means and deviations over seeds, the best of each column, and their order."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from ganlib.evaluation.comparison.recipes import varied
from ganlib.evaluation.comparison.table import Cell, Column, Entry, Row


def make_rows(entries: Sequence[Entry], columns: Sequence[Column]) -> list[Row]:
    """A row for all seeds of the same algorithm and settings."""
    groups: dict[str, tuple[dict[str, Any], list[Entry]]] = {}
    for run, scored in entries:
        names = varied([other for other, _ in entries if other.algorithm == run.algorithm])
        settings = {name: run.settings.get(name) for name in names}
        key = json.dumps([run.algorithm, run.done, settings], sort_keys=True)
        groups.setdefault(key, (settings, []))[1].append((run, scored))
    return [
        Row(
            members[0][0].algorithm,
            settings,
            members[0][0].done,
            members,
            [_cell(members, column) for column in columns],
        )
        for settings, members in groups.values()
    ]


def _cell(entries: Iterable[Entry], column: Column) -> Cell | None:
    values = {
        run.seed: score.value
        for run, scored in entries
        if scored and (score := scored.under(column.name, column.hash))
    }
    if not values:
        return None
    numbers = list(values.values())
    return Cell(fmean(numbers), stdev(numbers) if len(numbers) > 1 else None, values)


def mark_best(rows: Sequence[Row], place: int, column: Column) -> None:
    """Mark the best mean of a column, if there are several and it is known which is better."""
    means = [cell.mean for row in rows if (cell := row.cells[place])]
    if not column.better or len(means) < 2:
        return
    best = min(means, key=column.badness)
    for row in rows:
        cell = row.cells[place]
        if cell is not None and math.isclose(cell.mean, best, rel_tol=1e-9):
            row.cells[place] = replace(cell, best=True)


def rank(row: Row, columns: Sequence[Column]) -> tuple[Any, ...]:
    """By the first score, the best first, then those without it by name."""
    for cell, column in zip(row.cells, columns, strict=True):
        if column.better:
            if cell is None:
                break
            return 0, column.badness(cell.mean), row.title
    return 1, 0.0, row.title
