"""What is seen of runs: every state, what they told last, and nothing is read twice."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganlib.runs.state import STATE
from ganlib.runs.watching.seen import Watcher, rate, size, span

Begin = Callable[..., Any]


def test_every_state_and_what_runs_comes_first(begin: Begin, tmp_path: Path) -> None:
    for name in ("done", "failed", "stopped", "running"):
        begin(name).state(name, f"of {name}" * (name == "failed"))
    (tmp_path / "result" / "done_seed0" / "DONE").touch()
    lost = begin("lost").path / STATE
    os.utime(lost, (0, 0))
    waits = tmp_path / "result" / "later"
    waits.mkdir()
    (waits / "job.yaml").touch()
    seen = Watcher(tmp_path / "result").look()
    assert [one.state.name for one in seen] == [
        *("running", "failed", "lost", "waiting", "stopped", "done")
    ]
    assert seen[1].state.sentence == "of failed" and seen[3].title == "later"
    assert [one.progress for one in seen[-2:]] == [0, 1]
    if Path("/proc/self/statm").exists():
        assert (seen[0].memory or 0) > 1e6 and seen[1].memory is None


def test_the_memory_of_a_card_goes_before_that_of_the_process(begin: Begin, tmp_path: Path) -> None:
    begin().log(1, loss=0.5, gpu_memory=5 * 2**30)
    (one,) = Watcher(tmp_path / "result").look()
    assert one.memory == 5 * 2**30
    assert [n.name for n in one.losses] == ["loss"]


def test_the_newest_losses_and_scores_have_those_before_them(begin: Begin, tmp_path: Path) -> None:
    run = begin()
    for i in (1, 2, 3):
        run.log(100 * i, kl=0.0, loss_gen=float(i), loss_dis=2.0 * i)
    run.score(100, 9.0, "old")
    run.score(200, 5.0)
    run.score(300, 4.0)
    (one,) = Watcher(tmp_path / "result").look()
    assert [(n.name, n.values) for n in one.losses] == [
        ("loss_gen", [1, 2, 3]),
        ("loss_dis", [2, 4, 6]),
    ]
    assert [(n.name, n.values) for n in one.scores] == [("FD-toy", [5, 4])]
    assert one.best == "FD-toy 4.000 at 300"
    assert one.progress == 0.3 and one.title == "dcgan, seed 0" and one.name == "dcgan_seed0"
    assert rate(one.state.rate) == "10 it/s" and span(one.state.seconds_left) == "70 s"


def test_what_is_damaged_is_said_and_others_are_seen(begin: Begin, tmp_path: Path) -> None:
    begin("a").log(1, loss=0.5)
    (begin("b").path / "log.jsonl").write_text("[]\n")
    (tmp_path / "result" / "c").mkdir()
    (tmp_path / "result" / "c" / "config.yaml").write_text("other: program\n")
    a, b, c = Watcher(tmp_path / "result").look()
    assert a.run and "log.jsonl is not a JSON object" in b.sentence and not b.run and not c.run


def test_only_what_changed_is_read_again(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = begin("a"), begin("b")
    watcher = Watcher(tmp_path / "result")
    first = {seen.name: seen.run for seen in watcher.look()}
    assert {seen.name: seen.run for seen in watcher.look()} == first
    one.log(5, loss=0.5)
    second = {seen.name: seen.run for seen in watcher.look()}
    assert second["b_seed0"] is first["b_seed0"] and second["a_seed0"] is not first["a_seed0"]
    other.grid(7)
    assert {seen.name: seen.run for seen in watcher.look()}["b_seed0"] is not first["b_seed0"]


def test_numbers_as_people_say_them() -> None:
    assert [rate(x) for x in (None, 0.001, 0.5, 2.345)] == ["", "1e+03 it/s", "2 it/s", "2.35 s/it"]
    assert [span(x) for x in (None, 59.0, 300.0, 9000.0, 400_000.0)] == [
        *("", "59 s", "5 min", "2.5 h", "4.6 days")
    ]
    assert [size(x) for x in (None, 2_500_000_000)] == ["", "2.50 GB"]


def test_watching_needs_no_torch() -> None:
    code = "import sys; import ganlib.runs.watching.server, ganlib.commands.watch; "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
