"""What is printed, as wide as the terminal."""

import textwrap
from collections.abc import Mapping, Sequence

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


def print_named(texts: Mapping[str, Sequence[str]]) -> None:
    """Print beside each name its texts, each from a line of its own on; no word is broken."""
    console, start = Console(), max(map(len, texts), default=0) + 2
    width = max(console.width - start, 20) if console.is_terminal else WIDEST
    wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    for name, lines in texts.items():
        folded = [part for line in lines for part in wrapper.wrap(line)]
        print(name.ljust(start) + ("\n" + " " * start).join(folded))
