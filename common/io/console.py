"""What is said on stderr, as long as anybody listens: lines, bars for what takes longer than two
seconds, and text that came from elsewhere; and the sentences that name flags, for callers from
Python, where flags are keywords.
"""

import errno
import os
import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TextIO, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, TaskID, TimeRemainingColumn

from ganlib.common.errors import StoppedError, UserError

P = ParamSpec("P")
T = TypeVar("T")
GONE = (errno.EPIPE, errno.EIO)  # of a pipe whose reader has ended, of a terminal that was closed


def stderr_console(quiet: bool = False) -> Console:
    """A console on stderr. What cannot be written there is dropped: that nobody reads the progress
    of a run is no reason to end it.
    """
    return Console(file=_Lasting(sys.stderr), quiet=quiet)  # type: ignore[arg-type]


def say(console: Console, text: str, style: str = "") -> None:
    """Print a line of text as it is, but for flags: see spoken(). Nothing in it is taken for
    markup, or obeyed by a terminal, on which lines end between words.
    """
    text = printable(spoken(text))
    if console.is_terminal:  # rich would cut longer names of files in two
        width = console.width
        text = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
    console.print(text, style=style, soft_wrap=True, highlight=False, markup=False)


def note(line: str) -> None:
    """A line on stderr, which nobody need read; nothing in it is obeyed by a terminal. It is one
    write, so that what other processes write there is above or below it.
    """
    print(f"{printable(line)}\n", end="", file=_Lasting(sys.stderr), flush=True)


class _Lasting:
    """A text file whose reader may go away."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with self._lasting():
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with self._lasting():
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    @contextmanager
    def _lasting(self) -> Iterator[None]:
        """What others write there (warnings, Python at its end) goes nowhere too after an error."""
        try:
            yield
        except OSError as error:
            if error.errno in GONE:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._file.fileno())
                os.close(nowhere)


PATIENCE = 2.0  # seconds; nobody wants a bar for less
PAUSE = 10.0  # seconds between two lines where there is no terminal


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[str, int, int | None], None]]:
    """A function that is told what is done, how many of it are, and of how many if that is known:
    a bar, once the first has taken PATIENCE, that is gone at the end; where there is no terminal, a
    line once in PAUSE seconds.
    """
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    tasks, start = dict[str, TaskID](), time.monotonic()
    told = start

    def tell(what: str, done: int, total: int | None) -> None:
        nonlocal told
        now = time.monotonic()
        if what not in tasks:
            tasks[what] = bar.add_task(escape(printable(what)), total=total)
        if now - start > PATIENCE:
            bar.start()
        bar.update(tasks[what], completed=done)
        if not console.is_terminal and now - told > PAUSE:
            told = now
            say(console, f"{what}: {done:,}" + (f" of {total:,}" if total else ""))

    try:
        yield tell
    finally:
        bar.stop()


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function to be told how many more are done, for a progress_bar() on stderr."""
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        tell(what, done, total)

    with progress_bar(stderr_console()) as tell:
        yield advance


def printable(text: object) -> str:
    """The text with what is not printable (control characters, line breaks, half characters) as
    Python writes it, "\\x1b": a terminal would obey it, and no file can hold some of it.
    """
    kept = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return "".join(kept)


SWITCHES = "back checkpoint-blocks compile flip force graph segmentation split sync-bn".split()
_FLAG = re.compile(
    r"(?<![^\s(])--(no-)?([a-z]+(?:-[a-z]+)*)"
    r"([= ](?:(?<==)\S+|[\d.]*\d|auto|cuda|edges|inception|mlp|quick|(?:[a-z]+:)?[A-Z]+))?"
)
"""A flag, with a value that can be known from the words of a sentence."""


def in_python(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, whose errors are spoken()."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (UserError, StoppedError) as error:
            error.args = (spoken(str(error)),)
            raise

    return call


def spoken(text: str) -> str:
    """A sentence that names flags, with the keywords that they are in Python where no command line
    is at work: --resume auto is resume="auto", --out is out=. Commands in backticks stay.
    """
    if click.get_current_context(silent=True) is not None:
        return text
    parts = re.split("(`[^`]*`)", text)
    return "".join(part if part[:1] == "`" else _FLAG.sub(_keyword, part) for part in parts)


def _keyword(flag: re.Match[str]) -> str:
    no, name, value = flag.groups("")
    keyword = name.replace("-", "_")
    if no or name in SWITCHES:
        return f"{keyword}={not no}{value}"
    if not value:
        return keyword if flag.string.startswith(":", flag.end()) else f"{keyword}="
    number = value[1:].replace(".", "").isdigit()
    return f"{keyword}={value[1:]}" if number else f'{keyword}="{value[1:]}"'
