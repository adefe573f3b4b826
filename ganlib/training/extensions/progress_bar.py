"""Where the run is: a bar on a terminal, lines in a file."""

import time
from collections import deque
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn
from rich.table import Column
from rich.text import Text

from ganlib.common.io.console import printable, say
from ganlib.training.extensions.announce import CENTURY
from ganlib.training.trainer import Extension, Trainer

WINDOW = 100
WIDE = 100  # characters; a narrower terminal has room for numbers alone
PAUSE = 10.0  # seconds between two lines where there is no terminal


class ProgressBar(Extension):
    """Iterations done and left, rate, time left, the stage, and the newest losses, as far as the
    terminal has room for these; of a wide one the run's name first.
    """

    name = "progress_bar"

    def __init__(self, console: Console) -> None:
        self.console, wide = console, console.width >= WIDE
        self._progress = Progress(
            *([TextColumn("[bold]{task.description}")] if wide else []),
            BarColumn(console.width - WIDE + 20 if wide else 8),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[speed]}"),
            _Rest("{task.fields[news]}", table_column=Column()),
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
            speed="",
            news="",
        )

    def __call__(self, trainer: Trainer) -> None:
        speed, news = _speed(trainer, self._rate(trainer)), _news(trainer)
        self._progress.update(self._task, completed=trainer.iteration, speed=speed, news=news)
        new = trainer.line.get("iteration") == trainer.iteration
        if new and not self.console.is_terminal and time.monotonic() - self._shown > PAUSE:
            self._shown = time.monotonic()
            line = (f"{trainer.iteration}/{trainer.max_iter}", speed, news)
            say(self.console, "  ".join(filter(None, line)))

    def _rate(self, trainer: Trainer) -> float:
        """Iterations per second over the last WINDOW of them, 0 before there are two."""
        self._marks.append((time.monotonic(), trainer.iteration))
        (before, first), (now, last) = self._marks[0], self._marks[-1]
        return (last - first) / max(now - before, 1e-9)

    def close(self) -> None:
        self._progress.stop()


class _Rest(TextColumn):
    """Text in what room is left."""

    def render(self, task: Task) -> Text:
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


def _speed(trainer: Trainer, rate: float) -> str:
    """Rate and time left; "" before there is a rate."""
    if not rate:
        return ""
    left = timedelta(seconds=min(CENTURY, round(trainer.seconds_left(rate))))
    return f"{rate:.3g} it/s  {left} left"


def _news(trainer: Trainer) -> str:
    """The stage, where there are several, and the losses of the newest line."""
    names = [name for name in trainer.line if name.startswith("loss")]
    losses = [f"{name} {trainer.line[name]:.3g}" for name in names]
    return "  ".join([*filter(None, [trainer.stage]), *losses])
