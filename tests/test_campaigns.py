"""Slow: hundreds of kills of every method, and hundreds of bad inputs, with their counts."""

import contextlib
import io
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from starting import source_for

import ganlib
from ganlib.__main__ import main
from ganlib.common.io.jsonl import read_lines
from ganlib.config import RunConfig
from ganlib.registry import algorithms
from ganlib.runs.folders import LOCK
from ganlib.training.snapshot import is_whole, list_snapshots, newest_snapshot, read_snapshot

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

OURS = [name for name, _ in algorithms.find(Path(ganlib.__file__).parent)]
KILLS = 14  # of each method: 210 of all
BAD = 200


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def in_a_child(work: Callable[[], object], then: Callable[[int], int]) -> int:
    """The status of a forked process that does `work`; `then`, given its number, waits for it.

    A fork has all imports behind it, and kill -9 does to it what it does to any process.
    """
    pid = os.fork()
    if pid:
        return then(pid)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:.*use of fork")
@pytest.mark.parametrize("name", OURS)
def test_kill_9_at_any_moment_loses_nothing(
    name: str, toy_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The end is that of a run that nobody killed, bit by bit."""
    settings: dict[str, Any] = {"algorithm": name, "dataset": str(toy_file), "width": 0.05}
    settings |= {"batch_size": 8, "gpu": -1, "max_iter": 100_000, "display_interval": 3}
    settings |= {"snapshot_interval": 2, "sample_interval": 5, "tensorboard": False}
    settings |= {"evaluation_interval": 0, "ema_decay": 0.9, "lr_decay": "none"}
    settings |= {"source": source_for(name)}
    dice, out, torn, reached = Random(name), Path("parts"), 0, 0

    def kill(pid: int) -> int:
        time.sleep(0.05 + 1.5 * dice.random())
        os.kill(pid, signal.SIGKILL)
        return wait(pid)

    for _ in range(KILLS):
        status = in_a_child(lambda: ganlib.train(**settings, out="parts", resume="auto"), kill)
        assert status == -signal.SIGKILL
        assert all(is_whole(path) for path in list_snapshots(out / "snapshots"))
        torn += len([p for p in out.rglob(".*") if p.name != LOCK])
        if list_snapshots(out / "snapshots"):
            reached = read_snapshot(newest_snapshot(out))["updater"]["iteration"]
    settings["max_iter"] = reached + 7
    last = in_a_child(lambda: ganlib.train(**settings, out="parts", resume="auto"), wait)
    assert last == 0
    whole = ganlib.train(**settings, out="whole")
    a, b = (read_snapshot(newest_snapshot(p))["updater"] for p in (out, whole.out))
    assert a["iteration"] == b["iteration"] == settings["max_iter"]
    assert [k for k in b["modules"] if not torch.equal(a["modules"][k], b["modules"][k])] == []
    iterations = [line["iteration"] for line in read_lines(out / "log.jsonl")]
    assert iterations == list(range(3, settings["max_iter"] + 1, 3))
    assert list(out.rglob(".*")) == []
    with capsys.disabled():
        print(f"\n{name}: {KILLS} kills, {torn} torn files swept, equal at {a['iteration']}")


# --- Bad input

ODD = [
    "",
    "-1",
    "0",
    "nan",
    "inf",
    "1e400",
    "-1e-400",
    "1" * 400,
    "none",
    "true",
    "[]",
    "{}",
    "~x/y",
]
ODD += ["a\x1b[31mb", "x" * 300, "../..", "/proc/self/mem", "/dev/null", "a,b", ",", "é", "0x10"]
ODD += ["1e9", "9" * 30, "meta", "cuda:99", "auto", "missing.pt", "missing.h5", ".", "/"]


def odd_files(folder: Path, snapshot: Path, data: Path, dice: Random) -> list[list[str]]:
    """Command lines with files that are damaged or of another kind."""
    lines = []
    for k in range(30):
        path = folder / f"{k}.pt"
        content = bytearray(snapshot.read_bytes())
        for _ in range(dice.randrange(1, 4)):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(content[: dice.choice([len(content), dice.randrange(len(content))])])
        lines.append(dice.choice([["sample", str(path)], ["train", "--resume", str(path)]]))
    for k in range(30):
        path = folder / f"{k}.h5"
        content = bytearray(data.read_bytes())
        for _ in range(dice.randrange(1, 40)):
            content[dice.randrange(len(content))] = dice.randrange(256)
        path.write_bytes(content)
        lines.append(["data", "info", str(path)])
    for k in range(30):
        path = folder / f"{k}.yaml"
        path.write_bytes(
            bytes(dice.choice(b"algorithm: dcgan\n[]{}&*!|>'\"%@-\x00\xff") for _ in range(40))
        )
        lines.append(["train", "--config", str(path)])
    return lines


def odd_flags(data: Path, dice: Random) -> list[list[str]]:
    """Command lines with one odd value each, of a run's settings or of a method's."""
    lines = []
    for _ in range(BAD - 90):
        name = dice.choice(OURS)
        fields = {**RunConfig.model_fields, **algorithms[name].config.model_fields}
        field = dice.choice(sorted(fields.keys() - {"algorithm"}))
        kind = fields[field].annotation
        value = dice.choice(ODD)
        flag = f"--{field.replace('_', '-')}"
        odd = [f"{flag}={value}"] if kind is not bool else [flag, value]
        base = ["--algorithm", name, "--width=0.05", "--batch-size=4", "--max-iter=1"]
        base += ["--evaluation-interval=0", f"--dataset={data}", "--no-tensorboard"]
        lines.append(["train", *[b for b in base if not b.startswith(f"{flag}=")], *odd])
    return lines


def test_bad_input_ends_in_a_sentence(
    toy_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 0 for what is no mistake after all, else 2 (1 in a run) and one line; no traceback."""
    dice = Random(0)
    small: dict[str, Any] = {"width": 0.05, "batch_size": 4, "gpu": -1, "tensorboard": False}
    run = ganlib.train(algorithm="dcgan", dataset=str(toy_file), max_iter=2, out="good", **small)
    files = tmp_path / "files"
    files.mkdir()
    lines = odd_files(files, newest_snapshot(run.out), toy_file, dice) + odd_flags(toy_file, dice)
    statuses: Counter[int] = Counter()
    for number, line in enumerate(lines):
        place = tmp_path / str(number)
        place.mkdir()
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["ganlib", *line])
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                main()
                status = 0
            except SystemExit as end:
                status = int(end.code or 0)
            except BaseException:
                pytest.fail(f"{line}:\n{traceback.format_exc()}")
        statuses[status] += 1
        text = said.getvalue()
        assert status in (0, 2), (line, text)
        assert "Traceback" not in text and "\x1b" not in text, (line, text)
        if status == 2:
            assert text.count("\nError: ") + text.startswith("Error: ") == 1 or "Usage" in text, (
                line
            )
            assert list(place.rglob("*")) == [], line
    assert sum(statuses.values()) == BAD and statuses[2] > BAD // 2
    with capsys.disabled():
        print(f"\n{BAD} bad inputs: {statuses[2]} sentences, {statuses[0]} that were none")
