"""Where tables are printed."""

from rich.console import Console

WIDE = 240  # characters: a table in a pipe or a file is not folded


def table_console(console: Console | None = None) -> Console:
    """The console given, or standard output; wide enough for any table where it is no terminal."""
    console = console or Console()
    return console if console.is_terminal else Console(file=console.file, width=WIDE)
