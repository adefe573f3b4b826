"""The runs of a grid as processes beside each other, of which a table tells."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import get_args

import torch
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

import ganlib
from ganlib.common.errors import StoppedError, UserError
from ganlib.common.io.console import printable, say, stderr_console
from ganlib.common.io.files import writing
from ganlib.runs.folders import locked, note
from ganlib.runs.grid import Grid, describe, duration, estimates, seconds_left
from ganlib.runs.state import JOB, STATE, Name, State, read_state
from ganlib.training.device.devices import on_any_gpu
from ganlib.training.trainer import heard

POLL = 0.2  # seconds between two looks at the processes
SHOW = 1.0  # seconds between two tables
ENDS = (signal.SIGTERM, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))
"""What a first, a second and a third Ctrl-C send to each run: it ends in good order, it ends."""
COMMAND = (sys.executable, "-m", "ganlib", "train", "--config")
LOG = "job.log"
"""Beside a JOB, what its last process has said."""
SEEN = ("running", "failed", "lost", "stopped")
"""What the table shows, in this order; of the others it says how many there are."""
Done = Callable[[str], object]
"""What is told the name of each run that comes to its end."""
KILLED = (
    "its process was killed, as by a system without memory left: with fewer --jobs, the same "
    "command goes on from its last snapshot"
)


def run_jobs(
    grid: Grid,
    console: Console | None = None,
    done: Done | None = None,
) -> dict[str, State]:
    """Train what is not done, and what has become of each run. A run that fails stops no other;
    Ctrl-C, SIGTERM and SIGHUP stop all, which is a StoppedError, and the same grid goes on from
    there.
    """
    console, shown = console or stderr_console(), 0.0
    asked: list[int] = []
    with locked(grid.folder):
        jobs = Jobs(grid, console, done)
        say(console, describe(grid, jobs.states, estimates(grid, jobs.states)))
        table = Live(console=console, auto_refresh=False, transient=True)
        with heard(lambda number, _: asked.append(number)), table:
            while jobs.waiting or jobs.slots:
                jobs.look()
                if len(asked) > jobs.stopping:
                    jobs.stop()
                    say(console, "The runs are asked to stop, and write their snapshots.")
                if time.monotonic() - shown > SHOW:
                    shown = time.monotonic()
                    table.update(_table(jobs), refresh=True)
                time.sleep(POLL)
    if jobs.stopping:
        n = sum(state.name == "done" for state in jobs.states.values())
        raise StoppedError(
            f"{n} of {len(jobs.states)} runs are done; the same command goes on with the others."
        )
    return jobs.states


class Jobs:
    """Starts the runs of a grid that are not done, as many at a time as the grid says; those at
    work already, whose grid was killed, are waited for.

    states: as they were last seen. slots: the runs at work, each with the number of its place.
    """

    def __init__(self, grid: Grid, console: Console, done: Done | None = None) -> None:
        self.grid, self.console, self.done = grid, console, done
        self.states = grid.states()
        at_work = [name for name, state in self.states.items() if state.name == "running"]
        self.slots = {name: k for k, name in enumerate(at_work)}
        self.waiting = [n for n, s in self.states.items() if s.name not in ("done", "running")]
        for name in self.waiting:
            self.states[name] = _now(self.states[name], "waiting")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = 0

    def look(self) -> None:
        """Take what has ended, and start what there is room for."""
        for name in list(self.slots):
            process, path = self.processes.get(name), self.grid.places[name]
            status = process.poll() if process else None  # before what it has written is read
            state = read_state(path)
            if process and status is None:
                if state.name == "lost":
                    with suppress(OSError):  # it has not come to give signs of life itself
                        os.utime(path / STATE)
                self.states[name] = _now(state, "running")
            elif process or state.name != "running":
                del self.slots[name]
                self._end(name, self._outcome(name, state, status))
        while self.waiting and len(self.slots) < self.grid.jobs:
            name = self.waiting.pop(0)
            try:
                self._start(name)
            except UserError as error:  # of a disk that is full
                self._end(name, _now(self.states[name], "failed", str(error)))

    def stop(self) -> None:
        """Ask what runs to end, the more firmly the more often; nothing else is started."""
        number = ENDS[min(self.stopping, len(ENDS) - 1)]
        self.stopping += 1
        self.waiting.clear()
        for name in self.slots:
            state, process = self.states[name], self.processes.get(name)
            with suppress(OSError):
                if process:
                    process.send_signal(number)
                elif state.pid and state.host == socket.gethostname():
                    os.kill(state.pid, number)

    def _start(self, name: str) -> None:
        folder, state = self.grid.folder / name, self.states[name]
        slot = min({*range(self.grid.jobs)} - {*self.slots.values()})
        with writing(folder), (folder / LOG).open("wb") as log:
            self.processes[name] = process = subprocess.Popen(
                [*COMMAND, str(folder / JOB)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(name, slot),
                start_new_session=True,  # Ctrl-C in a terminal is for the grid to pass on
            )
        self.slots[name], place = slot, self.grid.places[name]
        note(place / STATE, "running", max_iter=state.max_iter, pid=process.pid)
        self.states[name] = _now(state, "running")

    def _environment(self, name: str, slot: int) -> dict[str, str]:
        """Of a process: its threads, and of several GPUs its own."""
        home, run = str(Path(ganlib.__file__).parent.parent), self.grid.runs[name].run
        paths = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        own = {"OMP_NUM_THREADS": str(self.grid.threads), "PYTHONPATH": paths}
        if on_any_gpu(run.gpu, run.device):
            known = os.environ.get("CUDA_VISIBLE_DEVICES")
            numbers = known.split(",") if known else range(torch.cuda.device_count())
            own["CUDA_VISIBLE_DEVICES"] = str(numbers[slot % len(numbers)])
        return {**os.environ, **own}

    def _outcome(self, name: str, state: State, status: int | None) -> State:
        """Of a run that has ended; what its process could not write itself is written. status: None
        of another one's process.
        """
        if state.name in ("done", "failed") or (state.name == "stopped" and not status):
            return state
        if self.stopping:
            return _now(state, "stopped", "interrupted")
        sentence = KILLED if status is None or status < 0 else self._last_words(name)
        note(self.grid.places[name] / STATE, "failed", sentence, state.max_iter)
        return _now(state, "failed", sentence)

    def _last_words(self, name: str) -> str:
        lines = (self.grid.folder / name / LOG).read_text("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return last.removeprefix("Error: ").removeprefix("Stopped: ")

    def _end(self, name: str, state: State) -> None:
        """Take and tell what has become of a run."""
        self.states[name] = state
        ended = sum(s.name not in ("waiting", "running") for s in self.states.values())
        words = f"[{ended}/{len(self.states)}] {name}: {state.name}"
        say(self.console, f"{words}: {state.sentence}" if state.sentence else words)
        if self.done is not None and state.name == "done":
            self.done(name)


def _now(state: State, name: Name, sentence: str = "") -> State:
    return state.model_copy(update={"name": name, "sentence": sentence})


def _table(jobs: Jobs) -> Table:
    """Of what runs and has failed; how many there are of each kind stands below it."""
    counts = Counter(state.name for state in jobs.states.values())
    parts = [f"{counts[name]} {name}" for name in get_args(Name) if counts[name]]
    seconds = seconds_left(jobs.grid, jobs.states)
    parts += [] if seconds is None else [f"about {duration(seconds)} left"]
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
    return table
