"""Tables on terminals that are narrower than they are."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ganlib.commands._terminal import WIDEST

Lines = Sequence[Sequence[Text]]
"""The titles of the columns, and then the rows; all are as long."""


def grid_of(lines: Lines) -> Table:
    """The table, its first column to the left and the others to the right."""
    titles, *rows = lines
    grid = Table(box=box.SIMPLE_HEAD)
    for place, title in enumerate(titles):
        grid.add_column(title, justify="right" if place else "left")
    for row in rows:
        grid.add_row(*row)
    return grid


def fitting(lines: Lines, width: int) -> list[Table]:
    """The table if it is at most `width` characters wide. Else rows and columns change places if
    that makes fewer columns, and these stand in several tables, one below the other, each with as
    many as fit after the first column.
    """
    if _width(grid_of(lines)) <= width:
        return [grid_of(lines)]
    if len(lines) < len(lines[0]):
        lines = list(zip(*lines, strict=True))
    tables, shown = [], [0]
    for place in range(1, len(lines[0])):
        if len(shown) > 1 and _width(_columns(lines, [*shown, place])) > width:
            tables.append(_columns(lines, shown))
            shown = [0]
        shown.append(place)
    return [*tables, _columns(lines, shown)]


def _columns(lines: Lines, places: Sequence[int]) -> Table:
    return grid_of([[line[place] for place in places] for line in lines])


def _width(grid: Table) -> int:
    wide = Console(width=WIDEST)
    return Measurement.get(wide, wide.options, grid).maximum
