"""Runs through a real SLURM, on this machine: they end as those without it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from real_slurm import call, real_slurm, wait_until

import ganlib
from ganlib.runs.state import read_state
from ganlib.training.snapshot import newest_snapshot, read_snapshot

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
SMALL: dict[str, Any] = {"algorithm": "dcgan", "dataset": "ring8", "batch_size": 4, "width": 0.1}
SMALL |= {"max_iter": 8, "sample_interval": 0, "evaluation_interval": 0, "tensorboard": False}
SMALL |= {"gpu": -1, "display_interval": 1}
# an extension that has some runs wait in an iteration until they are asked to stop
WAITS = """
import time
from ganlib import Extension

class Waits(Extension):
    name = "waits"
    def __init__(self, seed):
        self.seed = seed
    def __call__(self, trainer):
        while self.seed >= 90 and trainer.iteration == 5 and not trainer.signalled:
            time.sleep(0.05)

def make(settings):
    return Waits(settings["seed"])
"""


@pytest.fixture(scope="module", autouse=True)
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with real_slurm(tmp_path_factory.mktemp("slurm") / "loopback"):
        yield


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    extensions = Path("plugins/extensions")
    extensions.mkdir(parents=True)
    (extensions / "waits.py").write_text(WAITS)


def train(*more: str) -> str:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    flags[flags.index("--tensorboard=False")] = "--no-tensorboard"
    command = [sys.executable, "-m", "ganlib", "train", *flags, *more]
    command += ["--plugin-dir=plugins", "--extension=waits"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True)
    return done.stderr.partition("Job ")[2].partition(" ")[0]


def weights(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = read_snapshot(newest_snapshot(run))["updater"]["modules"]
    return found


def check(run: Path, **more: Any) -> None:
    """That a run is done, and ended as one in this process."""
    assert read_state(run).name == "done", (run / "job.log").read_text()
    alone = ganlib.train(**{**SMALL, **more}, out=f"alone/{run.name}").out
    others = weights(run)
    for name, tensor in weights(alone).items():
        assert tensor.equal(others[name]), (run, name)


def logged(run: Path) -> list[int]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["iteration"] for line in lines]


def wait_for(run: Path) -> None:
    """Until it waits: what is logged of that iteration is logged afterwards."""
    wait_until(lambda: read_state(run).iteration == 4, f"{run} does not come to it")


def test_sixty_runs_of_which_one_is_requeued_and_one_cancelled_end_as_without_slurm() -> None:
    grid = Path("result/grid")
    seeds = [*range(58), 98, 99]
    requeued, cancelled = grid / "dcgan_seed98", grid / "dcgan_seed99"
    several = ["--seeds", ",".join(map(str, reversed(seeds))), "--launcher=slurm time=30"]
    job = train(*several)
    wait_for(cancelled)
    call("scancel", f"{job}_0")
    wait_for(requeued)
    call("scontrol", "requeue", f"{job}_1")
    wait_until(lambda: (requeued / "DONE").exists(), "a run does not come back")
    wait_until(lambda: not call("squeue", "--noheader"), "the runs do not end")
    state = read_state(cancelled)
    assert (state.name, state.sentence, state.iteration) == ("stopped", "SIGTERM received", 5)
    assert (requeued / "job.log").read_text().count("Continuing at iteration 5") == 1
    again = train(*several)
    assert again and again != job
    wait_until(lambda: not call("squeue", "--noheader"), "the run does not end")
    assert "array=0-0" in (grid / "job.sbatch").read_text()
    for seed in seeds:
        check(grid / f"dcgan_seed{seed}", seed=seed)
    assert logged(requeued) == logged(cancelled) == list(range(1, 9))


def test_a_run_past_its_hour_comes_back_and_ends_as_without_limit() -> None:
    """Waiting for its time: SLURM counts in minutes, and looks twice in one."""
    job = train("--seed=91", "--launcher=slurm time=2 signal=B:USR1@30")
    run = Path("result/dcgan_ring8/seed91")
    wait_until(lambda: (run / "DONE").exists(), "the run does not end")
    wait_until(lambda: not call("squeue", "--noheader"), "the job does not end")
    log = (run / "job.log").read_text()
    assert log.count(f"Job {job} on ") == 2 and log.count("Continuing at iteration 5") == 1
    check(run, seed=91)


def test_one_run_on_two_nodes_stops_in_time_and_goes_on() -> None:
    port = 29400 + os.getpid() % 500
    torchrun = f"{sys.executable} -m torch.distributed.run --nnodes 2 --nproc-per-node 1"
    torchrun += f" --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:{port} --rdzv-id $SLURM_JOB_ID"
    torchrun += " --local-addr 127.0.0.1"  # where both nodes are
    job = train("--seed=92", "--max-iter=300", f"--launcher=slurm nodes=2 python='srun {torchrun}'")
    run = Path("result/dcgan_ring8/seed92")
    wait_for(run)
    call("scancel", "--batch", "--signal=USR1", job)  # what SLURM sends before the time is over
    wait_until(lambda: (run / "DONE").exists(), "the run does not end")
    wait_until(lambda: not call("squeue", "--noheader"), "the job does not end")
    log = (run / "job.log").read_text()
    assert log.count("Stopped at iteration") == log.count("Continuing at iteration") == 1, log
    assert logged(run) == list(range(1, 301))
