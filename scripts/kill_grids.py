"""Grids whose processes are killed at random times end as one that nobody disturbed.

    python -m scripts.kill_grids --kills 200

The same tiny runs are trained over and over, side by side and each time in a new folder. At random
times SIGKILL ends some of the processes that train, or the one that has started them, and the same
command goes on. At the end, everything that a run goes on from must be bit by bit what it is where
nothing was killed. All processes are forked from this one, which has imported PyTorch: that takes
longer than these runs.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import click
import torch

from ganlib.__main__ import in_a_sentence
from ganlib.__main__ import main as ganlib
from ganlib.common.errors import UserError
from ganlib.runs import jobs
from ganlib.runs.state import read_state
from ganlib.training.snapshot import newest_snapshot, read_snapshot
from ganlib.training.trainer import SIGNALS

FLAGS = "-a dcgan,lsgan --dataset ring8 --batch-size 4 -g -1 --width 0.25 --evaluation-interval 0"
FLAGS += " --no-tensorboard --sample-interval 0 --snapshot-interval 20 --display-interval 5"
FLAGS += " --seeds 0,1"
JOBS = ("4", "1", "2", "3")
"""As many runs at a time as a grid begins with, and goes on with."""


@click.command()
@click.option("--kills", default=200, show_default=True, help="Processes to kill.")
@click.option("--iterations", default=300, show_default=True, help="Of each run.")
@click.option("--seed", default=0, show_default=True, help="Of the times and the choices.")
def main(kills: int, iterations: int, seed: int) -> None:
    """Kill processes of grids, and compare their ends."""
    in_a_sentence(lambda: kill_grids(kills, iterations, random.Random(seed)))


class Forked:
    """In place of subprocess.Popen: a process that runs ganlib's command line with the arguments
    after "python -m ganlib", with one thread.
    """

    def __init__(
        self, command: Sequence[str], stdout: IO[bytes], env: Mapping[str, str], **_: Any
    ) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._run([*command[command.index("ganlib") :]], stdout, env)

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """As Popen's."""
        os.kill(self.pid, number)

    def _run(self, arguments: list[str], stdout: IO[bytes], env: Mapping[str, str]) -> None:
        status: Any = 1
        try:
            os.setsid()
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            for stream in (sys.stdout, sys.stderr):
                os.dup2(stdout.fileno(), stream.fileno())
            sys.argv, status = arguments, 0
            os.environ.update(env)
            torch.set_num_threads(1)
            vars(jobs)["subprocess"] = SimpleNamespace(
                Popen=Forked, DEVNULL=subprocess.DEVNULL, STDOUT=subprocess.STDOUT
            )
            ganlib()
        except SystemExit as end:
            status = end.code
        finally:
            os._exit(status if isinstance(status, int) else 1)


def kill_grids(kills: int, iterations: int, draws: random.Random) -> int:
    """Of how many runs the ends were compared; UserError where one is not as it should be."""
    command = ["-m", "ganlib", "train", *FLAGS.split(), "--max-iter", str(iterations), "--out"]
    with tempfile.TemporaryDirectory() as home:
        undisturbed, compared, rounds = Path(home, "undisturbed"), 0, 0
        begun = time.monotonic()
        disturb([*command, str(undisturbed)], undisturbed, 0, 0, draws)
        took = time.monotonic() - begun
        wanted = {run.parent.name: end(run.parent) for run in undisturbed.glob("*/DONE")}
        while kills > 0:
            rounds += 1
            grid = Path(home, f"round{rounds}")
            made = disturb([*command, str(grid)], grid, kills, took, draws)
            kills -= made
            for name, state in wanted.items():
                if not same(end(grid / name), state):
                    raise UserError(f"{name} has another end after {made} kills of its grid.")
                compared += 1
            click.echo(
                f"Round {rounds}: {made} kills, {compared} ends as undisturbed, {kills} to go"
            )
    return compared


def disturb(command: list[str], grid: Path, kills: int, took: float, draws: random.Random) -> int:
    """Run a grid to its end, killing some of its processes at random times within the seconds that
    it takes undisturbed, at most so many; how many were.
    """
    process, made = started(command, JOBS[0]), 0
    while process.poll() != 0:
        if process.poll() is not None:
            process = started(command, draws.choice(JOBS))
        time.sleep(draws.uniform(0, took) if made < kills else 0.2)
        states = map(read_state, grid.glob("*"))
        at_work = sorted(state.pid for state in states if state.name == "running" and state.pid)
        pids = [*at_work, process.pid]
        for pid in draws.sample(pids, draws.randint(1, len(pids))):
            if made < kills and process.poll() is None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    made += 1
    return made


def started(command: list[str], at_once: str) -> Forked:
    """The grid's process, with so many runs at a time."""
    with Path(os.devnull).open("wb") as nowhere:
        return Forked([*command, "--jobs", at_once], nowhere, {"OMP_NUM_THREADS": "1"})


def end(run: Path) -> Any:
    """What a run goes on from."""
    return read_snapshot(newest_snapshot(run))["updater"]


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        equal = isinstance(other, torch.Tensor) and one.dtype == other.dtype
        return equal and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


if __name__ == "__main__":
    main()
