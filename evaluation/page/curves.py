"""Scores and losses over iterations: a panel each, in pixels."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ganlib.evaluation.comparison.reading import is_number
from ganlib.evaluation.comparison.runs import MEASURED, Run
from ganlib.evaluation.comparison.table import Column, Row, Table
from ganlib.evaluation.page.axes import Iterations, iterations, limits, thin, tick_text, ticks

NOT_LOSSES = {"iteration", *MEASURED}
WIDTH, HEIGHT = 278, 158  # pixels that the axes of a panel enclose
COLOURS = 6
"""So many the style sheet has, told apart by colour-blind readers too."""

Points = list[tuple[float, float]]


class Curve(NamedTuple):
    """A line of a panel: the classes of its row, what it is called, its points."""

    classes: str
    name: str
    points: Points


class Panel(NamedTuple):
    """A figure: its curves as "x,y x,y", ticks with their places from the left and the top, and
    whether outliers lie outside.
    """

    title: str
    curves: list[tuple[Curve, str]]
    across: list[tuple[float, str]]
    down: list[tuple[float, str]]
    cut: bool
    size: tuple[int, int] = (WIDTH, HEIGHT)


def panels(table: Table) -> tuple[list[Panel], bool]:
    """A panel for each score, and one for each loss; whether their axis is logarithmic."""
    # the table shows a single point as well
    found = [p for p in _curves(table) if any(len(curve.points) > 1 for curve in p[1])]
    if not found:
        return [], False
    axis = iterations([curve.points for _, curves in found for curve in curves])
    return [panel(title, curves, axis) for title, curves in found], axis.first > 0


def _curves(table: Table) -> list[tuple[str, list[Curve]]]:
    runs = [
        (classes_of(table, row), f"{row.title}, seed {run.seed}", run)
        for row in table.rows
        for run in row.runs
    ]
    scores = {n for _, _, run in runs for scored in run.evaluations for n, _ in scored.every()}
    lines = [line for _, _, run in runs for line in run.log]
    others = {n for line in lines for n in line if n not in NOT_LOSSES | scores}
    losses = sorted(others, key=lambda name: (not name.startswith("loss"), name))
    wanted = [(column.header, partial(_scores, column)) for column in table.columns]
    wanted += [(name, partial(_losses, name)) for name in losses]
    return [
        (title, [Curve(classes, name, xy) for classes, name, run in runs if (xy := of(run))])
        for title, of in wanted
    ]


def _scores(column: Column, run: Run) -> Points:
    scored = run.evaluations
    return [(float(e.iteration), score.value) for e in scored if (score := column.of(e))]


def _losses(name: str, run: Run) -> Points:
    pairs = [(line["iteration"], line[name]) for line in run.log if name in line]
    return thin([(float(x), float(y)) for x, y in pairs if is_number(y)])


def panel(title: str, curves: Sequence[Curve], axis: Iterations) -> Panel:
    """A figure of curves over this axis."""
    values = [y for curve in curves for _, y in curve.points]
    low, high = limits(values)

    def height(y: float) -> float:
        far = min(max((y - low) / (high - low), -5.0), 6.0)  # cut points stay near the frame
        return (1 - far) * HEIGHT

    def path(points: Points) -> str:
        return " ".join(f"{axis.place(x) * WIDTH:.1f},{height(y):.1f}" for x, y in points)

    rows = ticks(low, high)
    return Panel(
        title,
        [(curve, path(curve.points)) for curve in curves],
        [(axis.place(value) * WIDTH, text) for value, text in axis.ticks()],
        [(height(value), tick_text(value, rows)) for value in rows],
        min(values) < low or max(values) > high,
    )


def classes_of(table: Table, row: Row) -> str:
    """A colour per label, from the seventh on with dots; of unfinished runs with dashes."""
    labels = list(dict.fromkeys(other.label for other in table.rows))
    place = labels.index(row.label)
    dash = "" if row.done else " dashed"
    return f"s{place % COLOURS}" + (dash or " dotted" * (place >= COLOURS))
