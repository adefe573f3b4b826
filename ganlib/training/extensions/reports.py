"""What a run tells of itself: the log, a bar on a terminal, one with the newest grid in a notebook,
and what programs of others keep of it; and once how fast it is, when it will be done, and how much
it will write.
"""

import base64
import html
import json
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ganlib.common.errors import UserError, one_line
from ganlib.common.io.console import printable, say
from ganlib.common.io.files import MARK, write_text
from ganlib.common.io.jsonl import append_line, cut_lines
from ganlib.training.device.devices import gpu_memory, interruptions, synchronize
from ganlib.training.trainer import Extension, Trainer, every

CENTURY = 3_155_760_000  # seconds; beyond a few of them the calendar ends
WINDOW = 100  # iterations of which the bar shows the rate
WIDE = 100  # characters; a narrower terminal has room for numbers alone
PAUSE = 10.0  # seconds between two lines where there is no terminal
REFRESH = 0.5  # seconds between two updates of a notebook
AFTER = 20  # iterations until the rate is said; the first half is left out, it warms up
PATIENCE = 5.0  # seconds after which slow iterations have shown their rate
LONG = 3 * 3600.0  # seconds that a run takes before another way is named
CROWDED = 50.0
"""Times a second that a thread loses its core where other programs want it too: 85 to 125, beside
one or two on two cores; alone 2 to 18.
"""
TRACKERS = "trackers.json"
"""The file in a run's folder with the names of its records, by tracker."""
PROJECT = "ganlib"
"""Where records go that nobody gave another place."""


class LogReport(Extension):
    """Adds observations up on the device; every `interval` iterations their means become a line of
    log.jsonl, which says the stage too where there are several. Of plain numbers, as scores, the
    newest is written.

    The line is also `trainer.line`. Sums are part of the snapshot, so an interrupted interval goes
    on. What is observed once the run has reached its end joins the last line.
    """

    name = "log_report"

    def __init__(self, interval: int) -> None:
        self._due = every(interval)
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}
        self._since = (0.0, 0.0, 0)
        self._logged: set[str] = set()

    def initialize(self, trainer: Trainer) -> None:
        path = trainer.out / "log.jsonl"
        lines = cut_lines(path, trainer.iteration) if path.exists() else []
        trainer.line = dict(lines[-1]) if lines else {}
        self._since = (time.monotonic(), time.process_time(), trainer.updater.images)

    def __call__(self, trainer: Trainer) -> None:
        for name, value in trainer.observation.items():
            before = self._counts.get(name, 0) if isinstance(value, Tensor) else 0
            self._sums[name] = self._sums[name] + value if before else value
            self._counts[name] = before + 1
        self._logged = set(trainer.observation)
        if self._due(trainer):
            self._write(trainer)

    def finalize(self, trainer: Trainer) -> None:
        late = trainer.observation.keys() - self._logged
        if not late:
            return
        line = trainer.line
        if line.get("iteration") != trainer.iteration:
            line = {"iteration": trainer.iteration, "images": trainer.updater.images}
        more = {name: float(trainer.observation[name]) for name in sorted(late)}
        trainer.line = {**line, **more}
        cut_lines(trainer.out / "log.jsonl", trainer.iteration - 1, trainer.line)

    def state(self) -> dict[str, Any]:
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])

    def _write(self, trainer: Trainer) -> None:
        now, cpu, images = time.monotonic(), time.process_time(), trainer.updater.images
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        seconds, cpu_seconds, new = (
            now - self._since[0],
            cpu - self._since[1],
            images - self._since[2],
        )
        stage, device = trainer.stage, trainer.updater.clock.device
        trainer.line = {
            "iteration": trainer.iteration,
            "images": images,
            **({"stage": stage} if stage else {}),
            **means,
            "seconds": round(trainer.elapsed, 3),
            "images_per_second": round(new / seconds, 1),
            "images_per_cpu_second": round(new / cpu_seconds, 1) if cpu_seconds else None,
            **({"gpu_memory": peak} if (peak := gpu_memory(device)) else {}),
        }
        append_line(trainer.out / "log.jsonl", trainer.line)
        self._sums, self._counts, self._since = {}, {}, (now, cpu, images)


class ProgressBar(Extension):
    """Iterations done and left, rate, time left, the stage, and the newest losses, as far as the
    terminal has room for these; of a wide one the run's name first.
    """

    name = "progress_bar"

    def __init__(self, console: Console) -> None:
        self.console, wide = console, console.width >= WIDE
        rest = Column(no_wrap=True, overflow="ellipsis", ratio=2)  # the room that others leave
        self._progress = Progress(
            *([TextColumn("[bold]{task.description}")] if wide else []),
            BarColumn(None, table_column=Column(ratio=1)) if wide else BarColumn(8),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[news]}", table_column=rest),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._shown = 0.0
        self._marks: deque[tuple[float, int]] = deque(maxlen=WINDOW)

    def initialize(self, trainer: Trainer) -> None:
        self._progress.start()
        self._task = self._progress.add_task(
            escape(printable(title(trainer.out))),
            total=trainer.max_iter,
            completed=trainer.iteration,
            speed="",
            news="",
        )

    def __call__(self, trainer: Trainer) -> None:
        self._marks.append((time.monotonic(), trainer.iteration))
        (before, first), (now, last) = self._marks[0], self._marks[-1]
        rate = (last - first) / max(now - before, 1e-9)  # 0 before there are two
        speed = f"{rate:.3g} it/s  {_left(trainer, rate)} left" if rate else ""
        news = "  ".join(_words(trainer, "loss"))
        self._progress.update(self._task, completed=trainer.iteration, speed=speed, news=news)
        new = trainer.line.get("iteration") == trainer.iteration
        if new and not self.console.is_terminal and time.monotonic() - self._shown > PAUSE:
            self._shown = time.monotonic()
            line = (f"{trainer.iteration}/{trainer.max_iter}", speed, news)
            say(self.console, "  ".join(filter(None, line)))

    def close(self) -> None:
        self._progress.stop()


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


class Notebook(Extension):
    """Iterations done and left, the newest losses and scores, and the newest sample grid, updated
    in place.
    """

    name = "notebook"

    def __init__(self) -> None:
        self._ipython: Any = import_module("IPython.display")  # which has no types
        self._handle: Any = None
        self._shown = 0.0

    def initialize(self, trainer: Trainer) -> None:
        self._handle = self._ipython.display(self._page(trainer), display_id=True)

    def __call__(self, trainer: Trainer) -> None:
        if time.monotonic() - self._shown > REFRESH:
            self.finalize(trainer)

    def finalize(self, trainer: Trainer) -> None:
        self._shown = time.monotonic()
        self._handle.update(self._page(trainer))

    def _page(self, trainer: Trainer) -> Any:
        done, all_of_it = trainer.iteration, trainer.max_iter
        words, grids = ", ".join(_words(trainer)), sorted(trainer.out.glob("samples/[0-9]*.png"))
        grid = ""
        if grids:
            content = base64.b64encode(grids[-1].read_bytes()).decode("ascii")
            grid = f'<br><img alt="samples" src="data:image/png;base64,{content}">'
        return self._ipython.HTML(
            f'<progress value="{done}" max="{all_of_it}" style="width:60%"></progress> '
            f"{done:,} of {all_of_it:,}<br><small>{html.escape(words)}</small>{grid}"
        )


class Tracker(Extension):
    """Hands a client, which keeps records of runs, the settings, every number and every new word of
    a new line of the log, every new picture, and the protocol of each score. A run that goes on
    does so in the same record. The first error of the client is told, and the run goes on without
    it.

    settings: of the run, by name. A subclass has a file of its own beside this one, the name of
    the client's package, and what follows below as the client does it.
    """

    package: ClassVar[str]

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self.settings = dict(settings or {})
        try:
            self.client: Any = import_module(self.package)  # which not everybody has
        except Exception as error:  # what a package that does not fit raises is no fixed set
            raise UserError(
                f"--tracker={self.name} needs a package ({one_line(error)}): "
                f"pip install ganlib[{self.name}], or leave it out."
            ) from None
        self._works = self._ended = False
        self._line: Mapping[str, Any] = {}  # what was handed over last, as the others
        self._pictures: Mapping[str, Image.Image] = {}
        self._protocols: dict[str, str] = {}

    def open(self, trainer: Trainer, record: str | None) -> str | None:
        """Begin a record, or go on with the one of this name; returns its name, if it has one."""
        raise NotImplementedError

    def numbers(self, values: Mapping[str, float], iteration: int) -> None:
        """Keep these."""
        raise NotImplementedError

    def text(self, name: str, text: str, iteration: int) -> None:
        """Keep it under its name."""
        raise NotImplementedError

    def picture(self, name: str, picture: Image.Image, iteration: int) -> None:
        """Keep it under its name."""
        raise NotImplementedError

    def end(self, whole: bool) -> None:
        """Close the record; whole: no error has ended the run."""
        raise NotImplementedError

    def initialize(self, trainer: Trainer) -> None:
        self._works, self._line = True, trainer.line
        self._attempt(self._begin, trainer)
        self(trainer)

    def __call__(self, trainer: Trainer) -> None:
        line, before, self._line = trainer.line, self._line, trainer.line
        if line.get("iteration") == before.get("iteration"):  # what was observed late joins a line
            line = dict(line.items() - before.items())
        if values := {name: x for name, x in line.items() if isinstance(x, int | float)}:
            self._attempt(self.numbers, values, self._line["iteration"])
        for name, text in line.items():  # a stage, and what the doctor says
            if isinstance(text, str) and text != before.get(name):
                self._attempt(self.text, name, text, self._line["iteration"])
        for name, picture in trainer.pictures.items():
            if self._pictures.get(name) is not picture:
                self._attempt(self.picture, name, picture, trainer.iteration)
        self._pictures = dict(trainer.pictures)
        for name, score in trainer.scores.items():
            if self._protocols.get(name) != score.protocol.hash:
                self._protocols[name] = score.protocol.hash
                text = json.dumps({"hash": score.protocol.hash, **score.to_dict()["protocol"]})
                self._attempt(self.text, f"protocol/{name}", text, trainer.iteration)

    def finalize(self, trainer: Trainer) -> None:
        self(trainer)
        self._ended = True

    def close(self) -> None:
        self._attempt(self.end, self._ended)

    def _begin(self, trainer: Trainer) -> None:
        path = trainer.out / TRACKERS
        records = json.loads(path.read_text("utf-8")) if path.exists() else {"software": MARK}
        name = self.open(trainer, records.get(self.name) if trainer.iteration else None)
        if name is not None:
            write_text(path, json.dumps({**records, self.name: name}) + "\n")

    def _attempt(self, act: Callable[..., object], *given: Any) -> None:
        """Do it, unless the client has failed before: no run ends by it."""
        try:
            if self._works:
                act(*given)
        except Exception as error:  # of a client it is no fixed set
            self._works = False
            warnings.warn(
                f"{self.name} has failed and is told no more, the run goes on: "
                f"{type(error).__name__}: {one_line(error)}",
                stacklevel=2,
            )


def title(out: Path) -> str:
    """What a record of the run in this folder is called."""
    return "-".join(out.resolve().parts[-2:])


class Announce(Extension):
    """Say the rate, the time of the end and the size of a snapshot, once; where there are several
    stages, the first one's rate. Also whether threads that compute together wait for each other
    because other programs have their cores.

    hint: said too where the run will take very long.
    """

    name = "announce"

    def __init__(self, console: Console, hint: str = "") -> None:
        self.console, self.hint = console, hint
        self._start, self._first = 0.0, -1  # when the iterations that are timed begin; which is it
        self._lost = 0  # how often cores had been by then

    def __call__(self, trainer: Trainer) -> None:
        done = trainer.iteration - trainer.first_iteration
        if done in (1, AFTER // 2, AFTER):
            synchronize(trainer.updater.clock.device)
        if done in (1, AFTER // 2):
            self._start, self._first = time.monotonic(), done
            self._lost = interruptions()
        seconds = time.monotonic() - self._start
        if done > self._first and (done >= AFTER or seconds > PATIENCE):
            self.trigger = every(0)
            sentence = self._sentence(trainer, (done - self._first) / seconds)
            say(self.console, sentence + self._crowded(trainer, seconds))

    def _crowded(self, trainer: Trainer, seconds: float) -> str:
        threads = torch.get_num_threads()
        lost = (interruptions() - self._lost) / seconds
        if trainer.updater.clock.device.type != "cpu" or lost <= CROWDED * threads or threads == 1:
            return ""
        return (
            f" Other programs want its cores, and its {threads} threads wait for each other: "
            "OMP_NUM_THREADS=1 may be several times faster."
        )

    def _sentence(self, trainer: Trainer, rate: float) -> str:
        left = _left(trainer, rate)
        when = f": done in {left}, at {datetime.now() + left:%Y-%m-%d %H:%M}"
        if trainer.stage:  # of which others take longer, or less long
            when = f" at {trainer.stage}; other stages have rates of their own"
        hint = f" {self.hint}" if left.total_seconds() > LONG and self.hint else ""
        nbytes = sum(t.nbytes for t in tree_leaves(trainer.state()) if isinstance(t, Tensor))
        weight = f"A snapshot weighs {nbytes / 1e6:.3g} MB."
        return f"{rate:.3g} iterations/s{when}. {weight}{hint}"


def _left(trainer: Trainer, rate: float) -> timedelta:
    return timedelta(seconds=min(CENTURY, round(trainer.seconds_left(rate))))


def _words(trainer: Trainer, beginning: str = "") -> list[str]:
    """The stage, where there are several, and the newest line's numbers of names that begin so."""
    numbers = {k: v for k, v in trainer.line.items() if isinstance(v, float)}
    values = [f"{name} {v:.3g}" for name, v in numbers.items() if name.startswith(beginning)]
    return [*filter(None, [trainer.stage]), *values]
