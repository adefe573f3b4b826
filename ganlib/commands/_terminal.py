"""Where tables are printed."""

from rich.console import Console, RenderableType
from rich.measure import Measurement

WIDEST = 10_000  # characters


def table_console(table: RenderableType, console: Console | None = None) -> Console:
    """The console given, or standard output; where it is no terminal as wide as the table, which in
    a pipe or a file is not folded.
    """
    console = console or Console()
    if console.is_terminal:
        return console
    wide = Console(file=console.file, width=WIDEST)
    return Console(file=console.file, width=Measurement.get(wide, wide.options, table).maximum)
