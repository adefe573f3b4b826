"""How numbers look, in every form of a table."""

import math

from ganlib.evaluation.comparison.table import Row, Table

NOTHING = "–"


def headers(table: Table) -> list[str]:
    """The titles of the columns: the row's, the scores', and what it cost."""
    devices = _devices(table)
    hours = f"{devices.pop()}-hours" if len(devices) == 1 else "hours"
    return [
        "algorithm",
        *(column.header for column in table.columns),
        "n",
        "iterations",
        "images/s",
        f"{hours} per run",
    ]


def costs(table: Table, row: Row) -> list[str]:
    """The cells after the scores."""
    mixed = len(_devices(table)) > 1
    low, high = min(row.iterations), max(row.iterations)
    iterations = f"{low:,}" if low == high else f"{low:,}–{high:,}"
    hours = short(row.hours) + (f" {row.device}" if mixed and row.hours is not None else "")
    iterations = NOTHING if all(run.external for run in row.runs) and not high else iterations
    return [str(len(row.entries)), iterations, short(row.images_per_second), hours]


def _devices(table: Table) -> set[str]:
    return {row.device for row in table.rows if row.device}


def short(value: float | None) -> str:
    """A cost in two figures, or to the unit."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 9.95 else f"{value:#.2g}"


def figures(value: float) -> str:
    """A number in four figures, zeros at its end too."""
    return f"{value:#.4g}".removesuffix(".")


def numbers(table: Table, row: Row, place: int) -> tuple[str, str]:
    """Mean and deviation of a score, ("–", "") for none; all rows have the same decimals."""
    cell = row.cells[place]
    if cell is None:
        return NOTHING, ""
    means = [abs(c.mean) for r in table.rows if (c := r.cells[place]) and c.mean]
    decimals = min(5, max(2, 2 - math.floor(math.log10(min(means, default=1)))))
    deviation = "" if cell.std is None else f"± {cell.std:.{decimals}f}"
    partial = f"(n={len(cell.values)})" if len(cell.values) < len(row.entries) else ""
    return f"{cell.mean:.{decimals}f}", f"{deviation} {partial}".strip()
