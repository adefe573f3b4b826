"""The runs of a grid as processes beside each other, of which a table tells."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
import yaml
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

import ganlib
from ganlib.common.errors import StoppedError, UserError
from ganlib.common.io.console import printable, say, stderr_console
from ganlib.common.io.files import write_text, writing
from ganlib.runs.folders import locked, note
from ganlib.runs.grid import Grid, Rates, describe, duration, known_rates, on_gpu, seconds_left
from ganlib.runs.state import STATE, Name, State, read_state
from ganlib.training.trainer import heard

POLL = 0.2  # seconds between two looks at the processes
SHOW = 1.0  # seconds between two tables
PAUSE = 600.0  # seconds between two lines where there is no terminal
ENDS = (signal.SIGTERM, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))
"""What a first, a second and a third Ctrl-C send to each run: it ends in good order, it ends."""
COMMAND = (sys.executable, "-m", "ganlib", "train", "--config")
LOG, CONFIG = "job.log", "job.yaml"
"""In a run's folder, what its last process has said, and what it was told."""
SEEN = ("running", "failed", "lost", "stopped")
"""What the table shows, in this order; of the others it says how many there are."""
KILLED = (
    "its process was killed, as by a system without memory left: with fewer --jobs, the same "
    "command goes on from its last snapshot"
)


def train_grid(grid: Grid, console: Console | None = None) -> dict[str, State]:
    """Train what is not done, and what has become of each run. A run that fails stops no other;
    Ctrl-C, SIGTERM and SIGHUP stop all, which is a StoppedError, and the same grid goes on from
    there.
    """
    console, shown = console or stderr_console(), 0.0
    asked: list[int] = []
    with locked(grid.folder):
        jobs, known = Jobs(grid, console), known_rates(grid)
        say(console, describe(grid, jobs.states, known))
        live = Live(console=console, auto_refresh=False, transient=True)
        shows = live if console.is_terminal else nullcontext()
        with heard(lambda number, _: asked.append(number)), shows:
            while jobs.waiting or jobs.processes or jobs.others:
                jobs.look()
                if len(asked) > jobs.stopping:
                    jobs.stop()
                    say(console, "The runs are asked to stop, and write their snapshots.")
                if time.monotonic() - shown > (SHOW if console.is_terminal else PAUSE):
                    shown = time.monotonic()
                    _show(jobs, known, live)
                time.sleep(POLL)
    if jobs.stopping:
        done = sum(state.name == "done" for state in jobs.states.values())
        raise StoppedError(
            f"{done} of {len(jobs.states)} runs are done; the same command goes on with the others."
        )
    return jobs.states


class Jobs:
    """Starts the runs of a grid that are neither done nor at work already, as many at a time as the
    grid says. states: as they were last seen.
    """

    def __init__(self, grid: Grid, console: Console) -> None:
        self.grid, self.console = grid, console
        self.states = grid.states()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        # whoever started them was killed, and they go on
        self.others = {name for name, state in self.states.items() if state.name == "running"}
        self.waiting = [n for n, s in self.states.items() if s.name not in ("done", "running")]
        for name in self.waiting:
            self.states[name] = replace(self.states[name], name="waiting", sentence="")
        self.stopping = 0
        self._slots: dict[str, int] = {}

    def look(self) -> None:
        """Take what has ended, and start what there is room for."""
        for name, process in list(self.processes.items()):
            if process.poll() is None:
                self.states[name] = replace(state := self._read(name), name="running")
                with suppress(OSError):  # it lives, and may not have come to say so itself
                    os.utime(self.grid.folder / name / STATE) if state.name == "lost" else None
            else:
                del self.processes[name], self._slots[name]
                self._take(name, process.returncode)
        for name in list(self.others):
            self.states[name] = state = self._read(name)
            if state.name != "running":
                self.others.remove(name)
                self._end(name, state)
                self.waiting += [name] if state.name == "lost" and not self.stopping else []
        while self.waiting and len(self.processes) + len(self.others) < self.grid.jobs:
            name = self.waiting.pop(0)
            try:
                self._start(name)
            except UserError as error:  # of a disk that is full
                self._end(name, replace(self.states[name], name="failed", sentence=str(error)))

    def stop(self) -> None:
        """Ask what runs to end, the more firmly the more often; nothing else is started."""
        number = ENDS[min(self.stopping, len(ENDS) - 1)]
        self.stopping += 1
        self.waiting.clear()
        here = socket.gethostname()
        others = [s.pid for s in map(self.states.get, self.others) if s and s.host == here]
        for pid in [*(process.pid for process in self.processes.values()), *others]:
            with suppress(OSError):
                os.kill(pid, number) if pid else None

    def _read(self, name: str) -> State:
        return read_state(self.grid.folder / name)

    def _start(self, name: str) -> None:
        folder = self.grid.folder / name
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            config = folder / CONFIG
            write_text(config, yaml.safe_dump(self.grid.settings_of(name), sort_keys=False))
            self._slots[name] = min({*range(self.grid.jobs)} - {*self._slots.values()})
            with (folder / LOG).open("wb") as log:
                self.processes[name] = process = subprocess.Popen(
                    [*COMMAND, str(config)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment(name),
                    start_new_session=True,  # Ctrl-C in a terminal is for the grid to pass on
                )
        note(folder / STATE, "running", max_iter=self.states[name].max_iter, pid=process.pid)
        self.states[name] = replace(self.states[name], name="running")

    def _environment(self, name: str) -> dict[str, str]:
        """Of a process: its threads, and of several GPUs its own."""
        home, run = str(Path(ganlib.__file__).parent.parent), self.grid.runs[name].run
        paths = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        own = {"OMP_NUM_THREADS": str(self.grid.threads), "PYTHONPATH": paths}
        if on_gpu(run) and run.gpu is None and run.device in (None, "cuda"):
            known = os.environ.get("CUDA_VISIBLE_DEVICES")
            numbers = known.split(",") if known else range(torch.cuda.device_count())
            own["CUDA_VISIBLE_DEVICES"] = str(numbers[self._slots[name] % len(numbers)])
        return {**os.environ, **own}

    def _take(self, name: str, status: int) -> None:
        """The state of a run whose process has ended; what it could not write itself is written."""
        state = self._read(name)
        if state.name != "done" and (status or state.name != "stopped"):
            if self.stopping:
                state = replace(state, name="stopped", sentence="interrupted")
            elif state.name != "failed":
                sentence = KILLED if status < 0 else self._last_words(name)
                note(self.grid.folder / name / STATE, "failed", sentence, state.max_iter)
                state = replace(state, name="failed", sentence=sentence)
        self._end(name, state)

    def _last_words(self, name: str) -> str:
        lines = (self.grid.folder / name / LOG).read_text("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return last.removeprefix("Error: ").removeprefix("Stopped: ")

    def _end(self, name: str, state: State) -> None:
        """Take and tell what has become of a run."""
        self.states[name] = state
        counts = Counter(s.name for s in self.states.values())
        ended = len(self.states) - counts["waiting"] - counts["running"]
        words = f"[{ended}/{len(self.states)}] {name}: {state.name}"
        say(self.console, f"{words}: {state.sentence}" if state.sentence else words)


def _show(jobs: Jobs, known: Rates, live: Live) -> None:
    """A table of what runs and has failed on a terminal, one line elsewhere."""
    counts = Counter(state.name for state in jobs.states.values())
    parts = [f"{counts[name]} {name}" for name in get_args(Name) if counts[name]]
    seconds = seconds_left(jobs.grid, jobs.states, known)
    parts += [] if seconds is None else [f"about {duration(seconds)} left"]
    if not jobs.console.is_terminal:
        say(jobs.console, ", ".join(parts))
        return
    table = Table(box=box.SIMPLE_HEAD, expand=True, caption=", ".join(parts))
    table.add_column("run", ratio=2, overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("iteration", justify="right", no_wrap=True)
    table.add_column("left", ratio=1, no_wrap=True)  # whole sentences stand above the table
    seen = [(n, s) for which in SEEN for n, s in jobs.states.items() if s.name == which]
    for name, state in seen[: max(1, jobs.console.height // 2 - 4)]:  # of two lines each
        done = f"{state.iteration:,}/{state.max_iter:,}" if state.max_iter else ""
        left = "" if state.seconds_left is None else duration(state.seconds_left)
        table.add_row(name, state.name, done, Text(printable(state.sentence or left)))
    live.update(table, refresh=True)
