"""Watch runs while they train: in a browser, or as a table in a terminal."""

import time
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ganlib.commands._tables import WIDEST, table_of
from ganlib.commands.options import shared
from ganlib.common.io.console import printable
from ganlib.evaluation.comparison.table import figures
from ganlib.runs.watching.seen import Seen, Watcher, rate, size, span

PAUSE = 2.0  # seconds between two looks of --text
COLOURS = {"running": "bold green", "failed": "red", "lost": "red", "stopped": "yellow"}
TITLES: list[str | Text] = [
    *("run", "state", "iteration", "rate", "left", "memory", "losses", "score")
]
NARROW, NEEDED = 130, {"run", "state", "iteration", "left", "score"}
"""In terminals of fewer characters these columns have to do."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="result", metavar="[RESULT]")
@shared.served
@click.option("--text", is_flag=True, help="A table in this terminal, and no page.")
def command(folder: Path, port: int | None, host: str, opens: bool, text: bool) -> None:
    """Watch the runs below RESULT: their states, what is left, curves, samples and scores.

    The page is the one that `ganlib compare` writes, and lives: what is new is in it within two
    seconds. Watching only reads; it may start, end and start again at any time.
    """
    if text:
        with suppress(KeyboardInterrupt):
            _print(Watcher(folder))
        return
    from ganlib.common.io.server import serve
    from ganlib.runs.watching.news import News  # with jinja2, for the page alone

    news, end = News(Watcher(folder)), "the watching, and no run"
    serve(news, host, port, opens, f"Watching {folder}", end)


def _print(watcher: Watcher) -> None:
    """The table, again and again on a terminal."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDEST
        console.print(_shown(watcher.look(), console))
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_shown(watcher.look(), console), refresh=True)
            time.sleep(PAUSE)


def _shown(seen: list[Seen], console: Console) -> Group:
    """A table, of fewer columns where the terminal is narrow, and below it what is to be said."""
    lines = [TITLES, *map(_cells, seen)]
    if console.width < NARROW:
        lines = [
            [cell for cell, title in zip(line, TITLES, strict=True) if title in NEEDED]
            for line in lines
        ]
    notes = [
        Text(printable(f"{one.name}: {text}"), "yellow")
        for one in seen
        for text in (one.sentence, one.state.sentence, *_said(one))
        if text
    ]
    return Group(table_of(lines, left=("state", "losses", "score")), *notes)


def _said(one: Seen) -> list[str]:
    """What the doctor said last."""
    return [text for _, text in one.run.diagnoses[-1:]] if one.run else []


def _cells(one: Seen) -> list[str | Text]:
    state, running = one.state, one.state.name == "running"
    most = f" of {state.max_iter:,}" if state.max_iter else ""
    told = [
        ", ".join(f"{n.name} {figures(n.values[-1])}" for n in several if n.values)
        for several in (one.losses, one.scores)
    ]
    return [
        one.name,
        Text(state.name, COLOURS.get(state.name, "")),
        f"{state.iteration:,}{most}",
        rate(state.rate),
        span(state.seconds_left) if running else "",
        size(one.memory),
        *told,
    ]
