"""Where the run is: a bar on a terminal, lines in a file."""

import time
from collections import deque
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganlib.common.console import say
from ganlib.common.printable import printable
from ganlib.training.trainer import Extension, Trainer

WINDOW = 100
PAUSE = 10.0  # seconds between two lines where there is no terminal


class ProgressBar(Extension):
    """Iterations done and left, rate, time left, the stage, and the newest losses."""

    name = "progress_bar"

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[news]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._shown = 0.0
        self._marks: deque[tuple[float, int]] = deque(maxlen=WINDOW)

    def initialize(self, trainer: Trainer) -> None:
        self._progress.start()
        self._task = self._progress.add_task(
            escape(printable(trainer.out.parent.name)),
            total=trainer.max_iter,
            completed=trainer.iteration,
            rate="",
            news="",
        )

    def __call__(self, trainer: Trainer) -> None:
        rate = self._rate(trainer)
        self._progress.update(
            self._task,
            completed=trainer.iteration,
            rate=f"{rate:.3g} it/s" if rate else "",
            news=_news(trainer),
        )
        new = trainer.line.get("iteration") == trainer.iteration
        if new and not self.console.is_terminal and time.monotonic() - self._shown > PAUSE:
            self._shown = time.monotonic()
            line = (f"{trainer.iteration}/{trainer.max_iter}", _speed(trainer, rate))
            say(self.console, "  ".join([*filter(None, line), _news(trainer)]))

    def _rate(self, trainer: Trainer) -> float:
        """Iterations per second over the last WINDOW of them, 0 before there are two."""
        self._marks.append((time.monotonic(), trainer.iteration))
        (before, first), (now, last) = self._marks[0], self._marks[-1]
        return (last - first) / max(now - before, 1e-9)

    def close(self) -> None:
        self._progress.stop()


def _speed(trainer: Trainer, rate: float) -> str:
    """Rate and time left; "" before there is a rate."""
    if not rate:
        return ""
    left = timedelta(seconds=round((trainer.max_iter - trainer.iteration) / rate))
    return f"{rate:.3g} it/s  {left} left"


def _news(trainer: Trainer) -> str:
    """The stage, where there are several, and the losses of the newest line."""
    names = [name for name in trainer.line if name.startswith("loss")]
    losses = [f"{name} {trainer.line[name]:.3g}" for name in names]
    return "  ".join([*filter(None, [trainer.stage]), *losses])
