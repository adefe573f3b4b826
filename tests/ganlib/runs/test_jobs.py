"""The processes of a grid: several at a time, what becomes of each, and how all are stopped."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from rich.console import Console

import ganlib
from ganlib.common.errors import StoppedError, UserError
from ganlib.runs import jobs
from ganlib.runs.folders import LOCK, note
from ganlib.runs.grid import JOB, Grid, open_grid, plan
from ganlib.runs.jobs import KILLED, Jobs, run_jobs
from ganlib.runs.state import STATE, read_state
from ganlib.training.snapshot import newest_snapshot, read_snapshot

Run = Callable[..., Result]
LIMIT = 60.0  # seconds that anything may take
SMALL: dict[str, Any] = {"dataset": "ring8", "batch_size": 4, "gpu": -1, "evaluation_interval": 0}
SMALL |= {"sample_interval": 0, "tensorboard": False, "display_interval": 10}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(jobs, "POLL", 0.01)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that train nothing, of which nothing is estimated: see job.py."""
    monkeypatch.setattr(jobs, "estimates", lambda *_: {})
    monkeypatch.setattr(jobs, "COMMAND", (sys.executable, str(Path(__file__).with_name("job.py"))))


def opened(
    seeds: str, jobs: int = 2, max_iter: int = 4, folder: str | None = None, **more: Any
) -> Grid:
    planned = plan("dcgan", seeds, {**SMALL, "max_iter": max_iter, **more})
    return open_grid(planned, [], folder and Path(folder), str(jobs))  # type: ignore[arg-type]


def folder(seed: int) -> Path:
    return Path("result/grid") / f"dcgan_seed{seed}"


def quiet(width: int = 200, **more: Any) -> Console:
    return Console(file=io.StringIO(), width=width, **more)


def said(console: Console) -> str:
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def wait_for(*paths: Path) -> None:
    limit = time.monotonic() + LIMIT
    while not all(path.exists() for path in paths):
        assert time.monotonic() < limit, paths
        time.sleep(0.01)


@contextmanager
def asked_to_stop(*paths: Path, times: int = 1) -> Iterator[None]:
    """Ctrl-C, once these are there, and again each time that was heard."""

    def ask() -> None:
        wait_for(*paths)
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    thread.join()


@pytest.mark.usefixtures("pretended")
def test_one_that_dies_is_told_with_its_sentence_and_stops_no_other() -> None:
    console = quiet()
    states = run_jobs(opened("1,2,5,6,0"), console)
    assert [(state.name, state.sentence) for state in states.values()] == [
        ("failed", "There is no such thing."),
        ("failed", KILLED),
        ("failed", "ValueError: a bug"),
        ("stopped", "the 2 hours are over"),
        ("done", ""),
    ]
    assert {name: read_state(Path("result/grid", name)).name for name in states} == {
        name: state.name for name, state in states.items()
    }
    lines = said(console).splitlines()
    assert lines[0].startswith("Runs in result/grid: 5, of which done: 0; 2 at a time, threads of ")
    assert sum("dcgan_seed1: failed: There is no such thing." in line for line in lines) == 1
    assert sum(line.startswith("[5/5] ") for line in lines) == 1
    assert {folder(k).joinpath("begun").read_text() for k in (0, 1, 2, 5, 6)} == {"1 "}


@pytest.mark.usefixtures("pretended")
def test_what_is_done_is_not_begun_again_and_what_failed_is() -> None:
    run_jobs(opened("0,1"), quiet())
    for k in (0, 1):
        (folder(k) / "begun").unlink()
    states = run_jobs(opened("0,1"), quiet())
    assert [state.name for state in states.values()] == ["done", "failed"]
    assert [(folder(k) / "begun").exists() for k in (0, 1)] == [False, True]


@pytest.mark.usefixtures("pretended", "usual_signals")
def test_as_many_as_was_said_are_at_work_and_ctrl_c_stops_them() -> None:
    console = quiet()
    sentence = "0 of 4 runs are done; the same command goes on with the others"
    with (
        asked_to_stop(folder(3) / "ready", folder(13) / "ready"),
        pytest.raises(StoppedError, match=sentence),
    ):
        run_jobs(opened("3,13,23,0"), console)
    assert [read_state(folder(k)).name for k in (3, 13)] == ["stopped", "stopped"]
    assert not (folder(23) / "begun").exists() and not (folder(0) / "begun").exists()
    assert "dcgan_seed13: stopped: SIGTERM received" in said(console)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("pretended", "usual_signals")
def test_a_third_ctrl_c_ends_what_does_not_hear_the_first() -> None:
    with asked_to_stop(folder(4) / "ready", times=3), pytest.raises(StoppedError):
        run_jobs(opened("4"), quiet())
    assert read_state(folder(4)).name == "lost"


@pytest.mark.usefixtures("pretended")
def test_beside_the_main_thread_no_signal_is_heard() -> None:
    """Python lets no other thread handle them."""
    with ThreadPoolExecutor() as pool:
        states = pool.submit(run_jobs, opened("0"), quiet()).result()
    assert states["dcgan_seed0"].name == "done"


@pytest.mark.usefixtures("pretended", "usual_signals")
def test_signals_that_are_ignored_stay_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it
    with asked_to_stop(folder(3) / "ready"), pytest.raises(StoppedError):
        threading.Timer(0, os.kill, (os.getpid(), signal.SIGHUP)).start()
        run_jobs(opened("3"), quiet())
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.usefixtures("pretended")
def test_what_another_process_trains_is_waited_for() -> None:
    """As after a grid that was killed with kill -9, whose runs go on."""
    grid = opened("0,10", jobs=1)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    note(folder(0) / STATE, "running", max_iter=4, pid=other.pid)
    at_work = Jobs(grid, quiet())
    at_work.look()
    assert [state.name for state in at_work.states.values()] == ["running", "waiting"]
    assert not (folder(10) / "begun").exists()
    (folder(0) / "DONE").touch()
    other.communicate(b"\n")
    at_work.look()
    assert [state.name for state in at_work.states.values()] == ["done", "running"]
    at_work.processes["dcgan_seed10"].wait()
    assert not (folder(0) / "begun").exists()


@pytest.mark.usefixtures("pretended")
def test_what_another_process_loses_is_told() -> None:
    grid = opened("0")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    note(folder(0) / STATE, "running", max_iter=4, pid=other.pid)
    at_work = Jobs(grid, quiet())
    other.kill()
    other.communicate()
    at_work.look()
    assert not at_work.waiting and not at_work.slots
    state = at_work.states["dcgan_seed0"]
    assert (state.name, state.sentence) == ("failed", KILLED)


@pytest.mark.usefixtures("pretended")
def test_a_stop_reaches_what_another_process_trains() -> None:
    grid = opened("0")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        note(folder(0) / STATE, "running", pid=other.pid)
        at_work = Jobs(grid, quiet())
        at_work.stop()
        assert other.wait(LIMIT) == -signal.SIGTERM
    at_work.look()
    assert at_work.states["dcgan_seed0"].name == "stopped"


@pytest.mark.usefixtures("pretended")
def test_one_process_at_a_time_has_a_grid() -> None:
    grid = opened("0")
    code = (
        f"import fcntl; file = open('{grid.folder / LOCK}', 'a'); fcntl.lockf(file, fcntl.LOCK_EX)"
    )
    code += "; file.write('process 7 on mars'); file.flush(); print(); input()"
    piped: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **piped) as other:
        assert other.stdout and other.stdout.readline()
        for refused in (lambda: run_jobs(grid, quiet()), lambda: opened("1", folder="result/grid")):
            with pytest.raises(UserError, match="grid is being trained in by process 7 on mars"):
                refused()
        other.communicate(b"\n")
    assert not folder(1).exists()


@pytest.mark.usefixtures("pretended")
def test_a_run_whose_folder_cannot_be_had_stops_no_other() -> None:
    grid = opened("0,10")
    shutil.rmtree(folder(0))
    states = run_jobs(grid, quiet())
    assert [state.name for state in states.values()] == ["failed", "done"]
    assert "dcgan_seed0 cannot be written" in states["dcgan_seed0"].sentence


@pytest.mark.usefixtures("pretended")
def test_each_of_several_gpus_has_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    at_work = Jobs(opened("0,10,20,30", jobs=3, gpu=None), quiet())
    at_work.look()
    for process in at_work.processes.values():
        process.wait()
    seen = [folder(k).joinpath("begun").read_text() for k in (0, 10, 20)]
    assert seen == ["1 0", "1 1", "1 0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    at_work.look()
    at_work.processes["dcgan_seed30"].wait()
    assert folder(30).joinpath("begun").read_text() == "1 5"
    named = Jobs(opened("0", folder="named", gpu=3), quiet())
    named.look()
    named.processes["dcgan_seed0"].wait()
    assert Path("named/dcgan_seed0/begun").read_text() == "1 5,7"  # as it was


@pytest.mark.usefixtures("pretended", "usual_signals")
def test_the_table_of_many_runs_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SHOW", 0.0)
    console = quiet(width=80, height=24, force_terminal=True)
    seeds = ",".join(map(str, [1, 11, 3, *range(20, 80, 10)]))
    with asked_to_stop(folder(3) / "ready", folder(70) / "ready"), pytest.raises(StoppedError):
        line = '{"iteration": 400, "images": 1600, "images_per_second": 40}\n'
        grid = opened(seeds, max_iter=1000)
        (folder(3) / "log.jsonl").write_text(line)
        run_jobs(grid, console)
    lines = said(console).splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines]
    assert ["dcgan_seed3", "running", "400/1,000", "0:01:00"] in rows
    assert ["run", "state", "iteration", "left"] in rows
    assert any(row[:2] == ["dcgan_seed11", "failed"] and "There" in row for row in rows)
    counts = [line.strip() for line in lines if "waiting, " in line]
    assert any(re.fullmatch(r"\d+ waiting, \d running, \d+ done, 2 failed, .*", c) for c in counts)


def weights(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = read_snapshot(newest_snapshot(run))["updater"]["modules"]
    return found


def test_the_command_trains_as_without_a_grid_and_ends_with_the_table(run: Run) -> None:
    flags = "--dataset ring8 --batch-size 4 -g -1 --evaluation-interval 0 --no-tensorboard"
    flags += " --max-iter 3 --sample-interval 0"
    arguments = f"train -a dcgan --sweep width=0.5 --jobs 2 {flags}".split()
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert "Runs in result/grid: 1, of which done: 0; 1 at a time" in done.output
    assert " to go, by an estimate, some 0.0" in " ".join(done.output.split())
    rows = [line.split()[:4] for line in done.output.splitlines()]
    assert ["algorithm", "width", "n", "iterations"] in rows
    assert ["dcgan", "0.5", "1", "3"] in rows
    out = Path("result/grid/dcgan_width=0.5_seed0")
    alone = ganlib.train(algorithm="dcgan", width=0.5, max_iter=3, out="alone", **SMALL)
    for name, tensor in weights(alone.out).items():
        assert tensor.equal(weights(out)[name]), name
    files = [path for path in Path("result/grid").glob("*/*") if path.name != JOB]
    before = [path.stat().st_mtime_ns for path in files]
    assert run(*arguments).exit_code == 0
    assert [path.stat().st_mtime_ns for path in files] == before


@pytest.mark.usefixtures("pretended")
def test_a_grid_from_python() -> None:
    sweep: dict[str, Any] = {"width": [0.5, 1]}
    for seeds in (0, [0], "0"):  # the same
        more: dict[str, Any] = {"seeds": seeds, "jobs": 2, "out": "study"}
        states = ganlib.train_grid(["dcgan"], sweep=sweep, **more, **SMALL)
    wanted = [Path(f"study/dcgan_width={width}_seed0") for width in (0.5, 1.0)]
    assert {path: state.name for path, state in states.items()} == dict.fromkeys(wanted, "done")


@pytest.mark.usefixtures("pretended")
def test_the_command_reports_what_failed_with_status_1(run: Run) -> None:
    done = run("train", "-a", "dcgan", "--seeds", "1,0", "--dataset", "ring8")
    assert done.exit_code == 1
    assert done.output.rstrip().endswith("Error: result/grid/dcgan_seed1: There is no such thing.")
    assert ["dcgan", "1"] in [line.split()[:2] for line in done.output.splitlines()]
