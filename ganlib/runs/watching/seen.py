"""What can be seen of runs while they go on; what has not changed is not read again."""

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganlib.common.errors import UserError
from ganlib.evaluation.comparison.compare import counted, first_score
from ganlib.evaluation.comparison.reading import is_number, read_run
from ganlib.evaluation.comparison.runs import MEASURED, Run
from ganlib.evaluation.comparison.table import Column, figures
from ganlib.runs.settings import read_yaml
from ganlib.runs.state import JOB, State, read_state

FILES = ("config.yaml", "environment.json", "log.jsonl", "scores.jsonl", "DONE", "samples")
"""What a run is read from again once one of them changes."""
PASSED = {"snapshots", "samples", "tensorboard"}
"""Folders in which no run lies."""
ORDER = ("running", "failed", "lost", "waiting", "stopped", "done")
SPARK = 40  # points of a line beside a number

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Newest:
    """A number that a run told last, and those before it, newest last."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Seen:
    """A run as it is. run: what its folder holds, None as long as nothing has begun, or where it
    cannot be read, which `sentence` says. memory: bytes that it takes of its card, else of
    this machine, if it is here. stamp: equal as long as the folder holds the same.
    """

    path: Path
    name: str
    state: State
    run: Run | None
    sentence: str
    memory: int | None
    stamp: Stamp

    @property
    def title(self) -> str:
        """The method and the seed, else the folder."""
        return f"{self.run.algorithm}, seed {self.run.seed}" if self.run else self.name

    @property
    def progress(self) -> float:
        """How much of its iterations is done, in [0, 1]."""
        if self.state.name == "done":
            return 1.0
        return min(1.0, self.state.iteration / self.state.max_iter) if self.state.max_iter else 0.0

    @property
    def losses(self) -> list[Newest]:
        """Of the log, losses first, at most two."""
        if self.run is None or not self.run.log:
            return []
        lines = self.run.log[-SPARK:]
        names = [n for n, v in lines[-1].items() if "/" not in n and is_number(v)]
        names = [n for n in names if n not in ("iteration", *MEASURED)]
        names = sorted(names, key=lambda name: not name.startswith("loss"))[:2]
        return [
            Newest(n, [float(line[n]) for line in lines if is_number(line.get(n))]) for n in names
        ]

    @property
    def scores(self) -> list[Newest]:
        """That by which the best snapshot is kept, or else the first, by its newest protocol."""
        column = self._ranking()
        every = self.run.evaluations if self.run and column else []
        known = [e.scores[column.name] for e in every if column and column.name in e.scores]
        values = [score.value for score in known if score.hash == known[-1].hash]
        return [Newest(column.name, values[-SPARK:])] if column and values else []

    @property
    def best(self) -> str:
        """The same score where it was best, "" if there is none."""
        column = self._ranking()
        scored = counted(self.run, column) if self.run and column else None
        if column is None or scored is None:
            return ""
        return f"{column.name} {figures(scored.scores[column.name].value)} at {scored.iteration:,}"

    def _ranking(self) -> Column | None:
        if self.run is None:
            return None
        _, _, name = str(self.run.settings.get("best_by") or "").partition(":")
        return (first_score([self.run], [name]) if name else None) or first_score([self.run])


class Watcher:
    """Runs below a folder, each time as they are; UserError where there is no such folder."""

    def __init__(self, top: Path) -> None:
        if not top.is_dir():
            raise UserError(f"There is no folder {top}; name one with runs in it.")
        self.top = top
        self._known = dict[Path, Seen]()

    def look(self) -> list[Seen]:
        """All of them: what runs first, what is done last."""
        found = [self._seen(path) for path in _folders(self.top)]
        self._known = {seen.path: seen for seen in found}
        return sorted(found, key=lambda seen: (ORDER.index(seen.state.name), seen.name))

    def _seen(self, path: Path) -> Seen:
        stamp, old = _stamp(path), self._known.get(path)
        run, sentence = None, ""
        if old and old.stamp == stamp:
            run, sentence = old.run, old.sentence
        elif (path / "config.yaml").exists():
            try:
                run = read_run(path)
            except UserError as error:
                sentence = str(error)
        state = read_state(path)
        name = str(path.relative_to(self.top)) if path != self.top else path.name
        of_card = run.log[-1].get("gpu_memory") if run and run.log else None
        memory = of_card if state.name == "running" and of_card else _memory(state)
        return Seen(path, name, state, run, sentence, memory, stamp)


def _folders(top: Path) -> Iterator[Path]:
    for folder, inside, files in os.walk(top):
        inside[:] = [name for name in inside if name[0] != "." and name not in PASSED]
        if "config.yaml" in files or (JOB in files and _is_its(Path(folder))):
            yield Path(folder)


def _is_its(folder: Path) -> bool:
    """Whether the job there trains there, not in the folder of a run that a grid goes on with."""
    try:
        out = read_yaml(folder / JOB).get("out")
    except UserError:
        return True
    return out is None or Path(str(out)).name == folder.resolve().name


def _stamp(path: Path) -> Stamp:
    return tuple(_of(path / name) for name in (*FILES, "../grid.yaml"))


def _of(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _memory(state: State) -> int | None:
    """Bytes of a process of this machine that are in memory."""
    if state.name != "running" or not state.pid or state.host != socket.gethostname():
        return None
    try:
        pages = Path(f"/proc/{state.pid}/statm").read_text().split()[1]
    except (OSError, IndexError):  # it has ended, or this system has none
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def rate(seconds: float | None) -> str:
    """Of an iteration, as people say it."""
    if not seconds:
        return ""
    return f"{1 / seconds:.3g} it/s" if seconds < 1 else f"{seconds:.3g} s/it"


def span(seconds: float | None) -> str:
    """A time that is left, as people say it."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def size(nbytes: int | None) -> str:
    if nbytes is None:
        return ""
    return f"{nbytes / 1e6:,.1f} MB" if nbytes < 1e9 else f"{nbytes / 1e9:,.2f} GB"
