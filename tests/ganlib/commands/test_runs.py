"""ganlib runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from ganlib.__main__ import cli
from ganlib.common.errors import UserError

Run = Callable[..., Result]


def make(name: str, *snapshots: int, done: bool = False, scores: Any = (), **settings: Any) -> Path:
    """A run below result/, with snapshots of 1,000 bytes of these iterations."""
    folder = Path("result", name)
    (folder / "snapshots").mkdir(parents=True)
    settings = {"algorithm": "dcgan", "dataset": "toy", **settings}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "environment.json").write_text("{}")
    for iteration in snapshots:
        (folder / "snapshots" / f"iter_{iteration:07d}.pt").write_bytes(bytes(1000))
    line = {"iteration": max(snapshots, default=20), "images": 9}
    (folder / "log.jsonl").write_text(json.dumps(line) + "\n")
    with (folder / "scores.jsonl").open("w") as file:
        for iteration, of in scores:
            found = {n: {"value": v, "hash": "a", "protocol": {}} for n, v in of.items()}
            file.write(json.dumps({"iteration": iteration, "scores": found}) + "\n")
    if done:
        (folder / "DONE").touch()
    return folder


def row(result: Result, name: str) -> str:
    (line,) = [line for line in result.output.splitlines() if line.split()[:1] == [name]]
    return " ".join(line.split()[1:])


def test_runs_are_listed_with_state_size_and_best_score(run: Run) -> None:
    scores = [(1000, {"IS": 3.0, "FD-a": 2.5}), (2000, {"IS": 4.0, "FD-a": 3.0})]
    make("a", 1000, 2000, done=True, scores=scores)
    make("b", 2000, scores=scores, best_by="max:IS")
    failed = make("c", 500, best_by="min:loss_gen")
    told = {"state": "failed", "sentence": "Out of memory.", "max_iter": 9000}
    (failed / "state.json").write_text(json.dumps(told))
    make("d")
    Path("result/d/scores.jsonl").write_text("odd\n")
    Path("result/waits").mkdir()
    Path("result/waits/job.yaml").touch()
    Path("result/waits/state.json").write_text('{"state": "waiting", "max_iter": 7}')
    result = run("runs")
    assert result.exit_code == 0
    assert row(result, "a") == "done 2,000 0.0 MB FD-a 2.500 at 1,000"
    assert row(result, "b") == "stopped 2,000 0.0 MB IS 4.000 at 2,000"
    assert row(result, "c") == "failed 500 of 9,000 0.0 MB –"
    assert row(result, "d") == "stopped 20 0.0 MB –"
    assert row(result, "waits") == "waiting 0 of 7 0.0 MB –"
    assert "\nc: Out of memory." in result.output
    assert "Line 1 of result/d/scores.jsonl is not a JSON object" in result.output
    assert "5 runs, 0.0 MB." in result.output
    assert row(run("runs", "result/a"), "a") == row(result, "a")


def test_no_runs_and_no_folder(run: Run) -> None:
    Path("result").mkdir()
    assert "There is no run in result yet" in str(run("runs").exception)
    assert isinstance(error := run("runs", "x").exception, UserError)
    assert "There is no folder x" in str(error)


def clean(answers: str) -> Result:
    return CliRunner().invoke(cli, ["runs", "--clean"], input=answers)


def test_what_could_go_is_shown_and_goes_if_one_says_so(run: Run) -> None:
    begun, done = make("begun"), make("done", 1000, 2000, 3000, done=True)
    (begun / "mine.txt").touch()
    (done / "snapshots" / "best.pt").touch()
    best = make("best", 1000, 2000, done=True, keep_snapshots="best:2")
    unfinished = make("unfinished", 1000, 2000)
    earlier = unfinished / ".earlier"
    earlier.mkdir()
    (earlier / "log.jsonl").write_text("x")
    before = sorted(Path("result").rglob("*"))
    said = clean("n\nn\nn\n").output
    assert sorted(Path("result").rglob("*")) == before
    for words in ("before their first snapshot", "moved aside", "Snapshots of finished runs"):
        assert words in said
    assert clean("y\ny\ny\n").exit_code == 0
    assert [path.name for path in begun.iterdir()] == ["mine.txt"]
    assert not earlier.exists()
    assert sorted(p.name for p in (done / "snapshots").iterdir()) == ["best.pt", "iter_0003000.pt"]
    assert len(list((unfinished / "snapshots").iterdir())) == 2
    assert len(list((best / "snapshots").iterdir())) == 2
    assert clean("").output == "Nothing could go.\n"


def test_a_run_at_work_is_left_alone(run: Run) -> None:
    make("works")
    Path("result/works/state.json").write_text('{"state": "running", "pid": 1, "host": "other"}')
    assert clean("").output == "Nothing could go.\n"
