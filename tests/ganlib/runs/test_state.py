"""What is read of a run's state: from its own files, while it lives and after every end."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ganlib
from ganlib.common.errors import StoppedError
from ganlib.runs import folders
from ganlib.runs.folders import note, recorded
from ganlib.runs.state import LOST, STATE, read_state
from ganlib.training.trainer import Trainer

SMALL: dict[str, Any] = {"algorithm": "dcgan", "dataset": "ring8", "gpu": -1, "batch_size": 4}
SMALL |= {"max_iter": 4, "display_interval": 2, "sample_interval": 0, "evaluation_interval": 0}
SMALL |= {"tensorboard": False, "out": "run"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trainer(**more: Any) -> Any:
    return SimpleNamespace(**{"out": Path(), "max_iter": 9, "stopped": "", **more})


def test_where_nothing_is_a_run_is_waited_for() -> None:
    assert read_state(Path("nowhere")).name == "waiting"


def test_a_run_is_seen_running_and_then_done() -> None:
    seen = []

    def look(trainer: Trainer) -> None:
        seen.append(read_state(trainer.out))

    ganlib.train(**SMALL, extensions=[look])
    assert {state.name for state in seen} == {"running"}
    assert {state.pid for state in seen} == {os.getpid()}
    assert [state.iteration for state in seen] == [0, 0, 2, 2]
    done = read_state(Path("run"))
    assert (done.name, done.iteration, done.max_iter, done.sentence) == ("done", 4, 4, "")
    last = json.loads(Path("run/log.jsonl").read_text().splitlines()[-1])
    assert done.rate == pytest.approx(4 / last["images_per_second"])
    assert done.seconds_left == 0
    ganlib.train(**{**SMALL, "out": "short"}, max_images=4)
    done = read_state(Path("short"))
    assert (done.name, done.iteration, done.max_iter) == ("done", 1, 1)


def test_a_run_that_is_out_of_time_is_stopped_and_says_so() -> None:
    ganlib.train(**SMALL, max_hours=1e-12)
    state = read_state(Path("run"))
    assert (state.name, state.sentence) == ("stopped", "the 1e-12 hours are over")


def test_a_run_that_fails_leaves_its_sentence() -> None:
    def fail(trainer: Trainer) -> None:
        raise StoppedError("the loss\nis not finite.")

    with pytest.raises(StoppedError):
        ganlib.train(**SMALL, extensions=[fail])
    state = read_state(Path("run"))
    assert (state.name, state.sentence) == ("failed", "the loss is not finite.")


def test_a_second_ctrl_c_stops_too() -> None:
    with pytest.raises(KeyboardInterrupt), recorded(trainer()):
        raise KeyboardInterrupt
    assert read_state(Path()).name == "stopped"


def test_the_run_of_a_process_that_was_killed_is_lost() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    note(Path(STATE), "running", pid=process.pid)
    try:
        assert read_state(Path()).name == "running"
    finally:
        process.kill()
        process.communicate()
    assert read_state(Path()).name == "lost"
    Path("DONE").touch()  # it was killed after its end
    assert read_state(Path()).name == "done"


def test_elsewhere_a_run_lives_as_long_as_it_gives_signs() -> None:
    note(Path(STATE), "running", pid=2**22 + 1)  # no process here has such a number
    told = json.loads(Path(STATE).read_text())
    Path(STATE).write_text(json.dumps({**told, "host": "elsewhere"}))
    assert read_state(Path()).name == "running"
    long_ago = time.time() - LOST - 1
    os.utime(STATE, (long_ago, long_ago))
    assert read_state(Path()).name == "lost"


def test_a_run_of_no_process_is_lost() -> None:
    Path(STATE).write_text('{"state": "running"}')
    assert read_state(Path()).name == "lost"


def test_a_run_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "BEAT", 0.01)
    with recorded(trainer()):
        os.utime(STATE, (1, 1))
        limit = time.monotonic() + 20
        while Path(STATE).stat().st_mtime < 2:
            assert time.monotonic() < limit
            time.sleep(0.01)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"state": 3}', "\0"])
def test_a_damaged_state_is_none(text: str) -> None:
    Path(STATE).write_text(text)
    assert read_state(Path()).name == "waiting"
    Path("config.yaml").write_text("algorithm: dcgan\n")
    Path("log.jsonl").write_text('{"iteration": 5, "images": 20}\n{"iteration": 1')
    state = read_state(Path())  # as a run of before there was a state
    assert (state.name, state.iteration, state.rate) == ("stopped", 5, None)


@pytest.mark.parametrize(
    "text", ["", "\n", "no line\n", "[1]\n", '{"iteration": "5"}\n', "[" * 9999]
)
def test_a_damaged_log_says_nothing(text: str) -> None:
    Path("log.jsonl").write_text(f"{text}\n")
    assert read_state(Path()).iteration == 0


def test_of_a_long_log_the_last_line_counts() -> None:
    lines = (
        f'{{"iteration": {k}, "images": {4 * k}, "images_per_second": 8}}' for k in range(9999)
    )
    Path("log.jsonl").write_text("\n".join([*lines, ""]))
    state = read_state(Path())
    assert (state.iteration, state.rate) == (9998, 0.5)


def test_a_disk_that_is_full_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(folders, "write_text", refuse)
    with recorded(trainer()):
        pass
    assert not Path(STATE).exists()
