"""Grids whose processes are killed at random times end as one that nobody disturbs.

    python -m scripts.kill_grids --kills 200

The same tiny runs are trained over and over, side by side and each time in a new folder. At random
times SIGKILL ends one of the processes that train, or the one that has started them, and the same
command goes on. At the end, everything that a run goes on from must be bit by bit what it is where
nothing was killed.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import torch

from ganlib.common.errors import UserError
from ganlib.runs.state import read_state
from ganlib.training.snapshot import newest_snapshot, read_snapshot
from scripts.ending import in_a_sentence

FLAGS = "-a dcgan,wgan_gp --dataset ring8 --batch-size 4 -g -1 --evaluation-interval 0"
FLAGS += " --no-tensorboard --sample-interval 0 --snapshot-interval 20 --display-interval 5"
FLAGS += " --seeds 0,1"
JOBS = ("2", "1", "3")
"""As many runs at a time as a grid begins with, and goes on with."""
STARTER = 0.3  # of the kills are of the process that starts the others


@click.command()
@click.option("--kills", default=200, show_default=True, help="Processes to kill.")
@click.option("--every", default=5.0, show_default=True, help="Seconds between two, on average.")
@click.option("--iterations", default=400, show_default=True, help="Of each run.")
@click.option("--seed", default=0, show_default=True, help="Of the times and the choices.")
def main(kills: int, every: float, iterations: int, seed: int) -> None:
    """Kill processes of grids, and compare their ends."""
    in_a_sentence(lambda: kill_grids(kills, every, iterations, random.Random(seed)))


def kill_grids(kills: int, every: float, iterations: int, draws: random.Random) -> int:
    """Of how many runs the ends were compared; UserError where one is not as it should be."""
    command = [sys.executable, "-m", "ganlib", "train", *FLAGS.split()]
    command += ["--max-iter", str(iterations), "--out"]
    with tempfile.TemporaryDirectory() as home:
        undisturbed, compared, rounds = Path(home, "undisturbed"), 0, 0
        started([*command, str(undisturbed)], JOBS[0]).wait()
        wanted = {run.parent.name: end(run.parent) for run in undisturbed.glob("*/DONE")}
        while kills > 0:
            rounds += 1
            grid = Path(home, f"round{rounds}")
            made = disturb([*command, str(grid)], grid, kills, every, draws)
            kills -= made
            for name, state in wanted.items():
                if not same(end(grid / name), state):
                    raise UserError(f"{name} has another end after {made} kills of its grid.")
                compared += 1
            click.echo(
                f"Round {rounds}: {made} kills, {compared} ends as undisturbed, {kills} to go"
            )
    return compared


def disturb(command: list[str], grid: Path, kills: int, every: float, draws: random.Random) -> int:
    """Run a grid to its end, killing its processes, at most so many; how many were."""
    process, made = started(command, JOBS[0]), 0
    while process.poll() != 0:
        if process.poll() is not None:
            process = started(command, draws.choice(JOBS))
        if made == kills:
            process.wait()
            continue
        time.sleep(draws.uniform(0, 2 * every) if at_work(grid) else 0.1)
        pids = at_work(grid)
        if pids and process.poll() is None:
            chosen = process.pid if draws.random() < STARTER else draws.choice(pids)
            with suppress(ProcessLookupError):
                os.kill(chosen, signal.SIGKILL)
                made += 1
    return made


def at_work(grid: Path) -> list[int]:
    """The processes that train."""
    states = map(read_state, grid.glob("*"))
    return sorted(state.pid for state in states if state.name == "running" and state.pid)


def started(command: list[str], jobs: str) -> subprocess.Popen[bytes]:
    """The grid's process, with so many runs at a time."""
    quiet = subprocess.DEVNULL
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.Popen([*command, "--jobs", jobs], stdout=quiet, stderr=quiet, env=environment)


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
