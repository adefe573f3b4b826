"""Tables on terminals that are narrower than they are."""

from collections.abc import Container, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ganlib.commands._terminal import WIDEST

Lines = Sequence[Sequence[Text]]
"""The titles of the columns, and then the rows; all are as long."""


def grid_of(lines: Lines, left: Container[str] = (), edge: bool = True) -> Table:
    """The table, its first column and those of the titles `left` aligned to the left, the others to
    the right. edge: whether there is empty space all around.
    """
    titles, *rows = lines
    grid = Table(box=box.SIMPLE_HEAD, show_edge=edge, pad_edge=edge)
    for place, title in enumerate(titles):
        right = place > 0 and title.plain not in left
        grid.add_column(title, justify="right" if right else "left")
    for row in rows:
        grid.add_row(*row)
    return grid


def fitting(lines: Lines, width: int, left: Container[str] = ()) -> list[Table]:
    """The table if it is at most `width` characters wide, without its edge if need be. Else rows
    and columns change places if that makes fewer columns, and these stand in several tables, one
    below the other, each with as many as fit after the first column.
    """
    for edge in (True, False):
        if _width(whole := grid_of(lines, left, edge)) <= width:
            return [whole]
    if len(lines) < len(lines[0]):
        lines = list(zip(*lines, strict=True))
    tables, shown = [], [0]
    for place in range(1, len(lines[0])):
        if len(shown) > 1 and _width(_columns(lines, [*shown, place], left)) > width:
            tables.append(_columns(lines, shown, left))
            shown = [0]
        shown.append(place)
    return [*tables, _columns(lines, shown, left)]


def print_tables(tables: Sequence[Table], console: Console) -> None:
    """Print them, each between empty lines."""
    for table in tables:
        if not table.show_edge:
            console.print()
        console.print(table)
    if not tables[-1].show_edge:
        console.print()


def _columns(lines: Lines, places: Sequence[int], left: Container[str]) -> Table:
    return grid_of([[line[place] for place in places] for line in lines], left, edge=False)


def _width(grid: Table) -> int:
    wide = Console(width=WIDEST)
    return Measurement.get(wide, wide.options, grid).maximum
