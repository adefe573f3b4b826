"""A progress bar on stderr for what takes longer than two seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from ganlib.common.console import stderr_console
from ganlib.common.printable import printable

PATIENCE = 2.0  # seconds; nobody wants a bar for less


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function to be told how many more are done; the bar is gone at the end."""
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    console = stderr_console()
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task, start = bar.add_task(escape(printable(what)), total=total), time.monotonic()

    def advance(n: int) -> None:
        if time.monotonic() - start > PATIENCE:
            bar.start()
        bar.advance(task, n)

    try:
        yield advance
    finally:
        bar.stop()
