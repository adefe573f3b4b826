"""What verbs print as tables: as wide as a terminal, and as they need in a pipe or a file."""

import textwrap
from collections.abc import Container, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganlib.common.io.console import printable

WIDEST = 10_000  # characters


def print_table(
    title: str,
    lines: Sequence[Sequence[str | Text]],
    notes: Sequence[str] = (),
    left: Container[str] = (),
    console: Console | None = None,
) -> None:
    """Print the titles of columns and then the rows, all as long, between a heading and sentences.
    The first column and those of the titles `left` are aligned to the left, the others to the
    right; on a terminal that is too narrow for all columns, cells are folded, and rows and columns
    change places if that makes fewer columns. console: by default standard output.
    """
    console = console or Console()
    wide = Console(file=console.file, width=WIDEST)
    table = table_of(lines, left)
    if not console.is_terminal:
        console = wide
    elif wide.measure(table).maximum > console.width and len(lines) < len(lines[0]):
        table = table_of(list(zip(*lines, strict=True)), left)
    # not the table's own title, which is folded to the table's width
    console.print(Text(printable(title), style="bold"), soft_wrap=True)
    console.print(table)
    for note in notes:
        console.print(Text(printable(note), style="dim"), soft_wrap=True)


def table_of(lines: Sequence[Sequence[str | Text]], left: Container[str]) -> Table:
    """The same table, for whoever prints it."""
    titles, *rows = [
        [Text(printable(cell)) if isinstance(cell, str) else cell for cell in line]
        for line in lines
    ]
    table = Table(box=box.SIMPLE_HEAD)
    for place, title in enumerate(titles):
        right = place > 0 and title.plain not in left
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def print_named(texts: Mapping[str, Sequence[str]]) -> None:
    """Print beside each name its texts, each from a line of its own on; no word is broken."""
    console, start = Console(), max(map(len, texts), default=0) + 2
    width = max(console.width - start, 20) if console.is_terminal else WIDEST
    wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    for name, lines in texts.items():
        folded = [part for line in lines for part in wrapper.wrap(line)]
        print(name.ljust(start) + ("\n" + " " * start).join(folded))
