"""scripts/first_gpu: what falls short is found in what steps print and leave."""

import asyncio
import json
import math
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import ganlib
from benchmarks import run
from benchmarks.workloads import CARD, FID_NAME
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import append_line
from ganlib.registry import algorithms
from ganlib.speed.bench import Cost, Row, Timing
from ganlib.training.scores.scorer import SCORES
from scripts.first_gpu import __main__ as first_gpu
from scripts.first_gpu import judges, needs
from scripts.first_gpu.process import Outcome, perform
from scripts.first_gpu.steps import AT_ONCE, PARTS, REHEARSAL, TESTS, Step, steps
from scripts.first_gpu.steps import CARD as ON_CARD

ROOT = Path(ganlib.__file__).parents[1]
QUIET = Outcome(0, 1.0, "")
PYTEST = """\
tests/test_cuda.py ..FE.s                                                    [100%]
=========================== short test summary info ============================
FAILED tests/test_cuda.py::test_a[cuda:0-gan] - AssertionError: assert ['gen.l0.weight'] == []
ERROR tests/test_cuda.py::test_b[cuda:0]
============= 1 failed, 3 passed, 1 skipped, 1 error in 9.02s ==============
"""
NOT_CAPTURED = "Updates are not captured as CUDA graphs and stay slower: not permitted"
NOT_COMPILED = "loss_dis is not compiled and stays slower: Unsupported: data dependent"


# --- commands


def done(command: list[str], folder: Path, seconds: float) -> Outcome:
    return asyncio.run(perform(command, folder, seconds, folder / "log"))


def test_a_command_its_output_and_its_status(tmp_path: Path) -> None:
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"
    outcome = done([sys.executable, "-c", code], tmp_path, 60)
    assert (outcome.status, outcome.output) == (3, "one\ntwo\n")
    assert judges.ended_well(outcome) == ["It ended with status 3: two"]
    assert judges.ended_well(QUIET) == []


@pytest.mark.usefixtures("usual_signals")
def test_a_command_whose_time_is_over_ends_with_what_it_started(tmp_path: Path) -> None:
    """Here it is a shell, which waits for another process."""
    outcome = done(["sh", "-c", "echo begun; sleep 100; touch after"], tmp_path, 0.5)
    assert outcome.status is None and outcome.output == "begun\n"
    assert not (tmp_path / "after").exists()
    assert re.fullmatch(r"Its time was over after \d+ s\.", *judges.ended_well(outcome))


# --- what a machine lacks


def test_packages_that_are_missing_or_too_old_are_named() -> None:
    here = version("torch")
    wanted = ["torch>=2.8", "torch>=99.1", "no-such-package>=3", "numpy>=1.24"]
    assert list(needs.lacking(wanted)) == [f"torch>=99.1 (here it is {here})", "no-such-package>=3"]
    assert needs.numbers("2.11.0+cu130") == [2, 11, 0] > needs.numbers("2.8")
    assert list(needs.lacking(needs.requirements())) == []
    assert {"torch>=2.8", "greenlet>=3", "pytest>=8"} <= set(needs.requirements())


def test_what_is_missing_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needs.main()
    monkeypatch.setattr(needs, "TESTS", ("no-such-package>=3",))
    with pytest.raises(SystemExit) as ended:
        needs.main()
    said = capsys.readouterr().err
    assert (
        ended.value.code == 2 and "lacks no-such-package>=3: put" in said and "\n" not in said[:-1]
    )


def test_what_is_missing_is_told_before_it_is_imported() -> None:
    """The library itself, and what it needs, may not be there."""
    code = "import sys, scripts.first_gpu.needs; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-Sc", code], cwd=ROOT, capture_output=True, text=True)
    assert "importlib.metadata" in names.stdout, names.stderr
    assert not {"torch", "click", "pydantic", "ganlib"} & set(names.stdout.split())


# --- tests of a card


def test_tests_that_fail_are_named_with_their_reasons() -> None:
    found = judges.all_passed(Outcome(1, 9.0, PYTEST))
    assert found.short == [
        "tests/test_cuda.py::test_a[cuda:0-gan] - AssertionError: assert ['gen.l0.weight'] == []",
        "tests/test_cuda.py::test_b[cuda:0]",
    ]
    assert found.numbers == {"passed": 3}


def test_tests_of_which_none_ran_fell_short() -> None:
    assert judges.all_passed(Outcome(0, 1.0, "= 4 skipped in 1.0s =\n")).short == [
        "No test passed."
    ]
    assert judges.all_passed(Outcome(0, 1.0, "=== 12 passed in 1.0s ===\n")).short == []


def test_all_files_with_tests_of_a_card_are_known() -> None:
    """They ask whether there is one, or take DEVICES from a file that does."""
    asks = re.compile(r'\["cuda:0"\] if torch|parametrize\("device", DEVICES')
    files = (ROOT / "tests").rglob("test_*.py")
    found = {f.relative_to(ROOT).as_posix() for f in files if asks.search(f.read_text("utf-8"))}
    assert found == set(TESTS)


# --- benchmarks


def measured(folder: Path, name: str, *rows: dict[str, Any], card: str = CARD) -> None:
    stamps = {"torch": "2.11.0", "threads": 16, "commit": "abc"}
    report = {"card": card, "date": "2027-01-01", "environment": stamps, "rows": list(rows)}
    run.keep(name, report, folder)


def row(ms: float | None, mode: Any = "graph", error: str = "") -> dict[str, Any]:
    timing = None if ms is None else Timing(ms / 1000, ms / 1000, ms / 1000, 50, 9.0, 2**30)
    cost = Cost(320, 28 * 10**11)
    return Row("x", {}, (3, 32, 32), mode, "bf16", 4e14, cost, timing, error).to_dict()


def fid(seconds: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "distance": 0.5,
        "images": 50_000,
        "precision": "bf16",
        "channels_last": True,
        "weights": "random",
    }


def fast(name: str, folder: Path, held: bool = True) -> list[str]:
    return judges.fast_enough(name, folder, held, QUIET).short


def test_a_workload_is_held_to_its_target_by_its_best_row(tmp_path: Path) -> None:
    measured(tmp_path, "sngan_resnet", row(30, "eager"), row(12.5))
    assert fast("sngan_resnet", tmp_path) == [
        "The best is 12.5 ms (graph, bf16), the target 10 ms."
    ]
    assert fast("sngan_resnet", tmp_path, held=False) == []
    measured(tmp_path, "sngan_resnet", row(30, "eager"), row(9.9))
    assert fast("sngan_resnet", tmp_path) == []
    measured(tmp_path, "quickstart", row(1000))  # it has no target
    assert fast("quickstart", tmp_path) == []


def test_the_targets_are_those_of_one_card(tmp_path: Path) -> None:
    measured(tmp_path, "sngan_resnet", row(1000), card="another")
    assert fast("sngan_resnet", tmp_path) == []


def test_a_row_that_failed_and_results_that_are_missing(tmp_path: Path) -> None:
    measured(tmp_path, "sngan_resnet", row(9), row(None, error=NOT_CAPTURED))
    assert fast("sngan_resnet", tmp_path) == [f"graph, bf16 failed: {NOT_CAPTURED}"]
    assert fast("wgan_gp_cnn", tmp_path) == ["It left no results."]


def test_the_time_of_a_fid_is_in_seconds(tmp_path: Path) -> None:
    measured(tmp_path, FID_NAME, {**fid(20), "precision": "fp32"}, fid(8.5))
    numbers = judges.fast_enough(FID_NAME, tmp_path, True, QUIET).numbers
    assert numbers["fp32"] == 20 and numbers["bf16, the distance alone"] == 0.5
    assert fast(FID_NAME, tmp_path) == ["The best is 8.5 s (bf16), the target 8 s."]
    measured(tmp_path, FID_NAME, fid(7.9))
    assert fast(FID_NAME, tmp_path) == []


# --- trainings


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Path]:
    """What a training of 400 iterations leaves, from those of its log on that are given."""

    def make(iterations: Any = (100, 200, 300, 400), distance: float = 5.0, **last: float) -> Path:
        folder = tmp_path / "sngan"
        folder.mkdir()
        for k in iterations:
            loss = last if k == iterations[-1] else {}
            values = {"loss_dis": 1.0, "images_per_second": 99.0, **loss}
            append_line(folder / "log.jsonl", {"iteration": k, **values})
        scores = {"IS-fashion10k": {"value": 9.0}, "FD-fashion10k-test": {"value": 1.0}}
        scores["FD-fashion10k-train"] = {"value": distance}
        append_line(folder / SCORES, {"iteration": 400, "scores": scores})
        return folder

    return make


def learned(folder: Path, output: str = "", bound: float | None = 6.0) -> list[str]:
    return judges.trained(folder, 400, bound, Outcome(0, 9.0, output)).short


def test_a_training_that_learned(trained: Callable[..., Path]) -> None:
    folder = trained()
    found = judges.trained(folder, 400, 6.0, QUIET)
    assert found.short == []
    assert found.numbers == {"images_per_second": 99, "FD-fashion10k-train": 5}


def test_what_stays_slower_is_short(trained: Callable[..., Path]) -> None:
    output = f"{NOT_CAPTURED}\n10/400  9 it/s\n{NOT_COMPILED}\n"
    assert learned(trained(), output) == [NOT_CAPTURED, NOT_COMPILED]


@pytest.mark.parametrize("iterations", [(100, 200, 300), (100, 300, 400), (200, 300, 400)])
def test_a_log_is_whole(iterations: Any, trained: Callable[..., Path]) -> None:
    (sentence,) = learned(trained(iterations))
    assert sentence.startswith("Its log has gaps")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number(value: float, trained: Callable[..., Path]) -> None:
    folder = trained(loss_gen=value)
    assert learned(folder) == ["At iteration 400 loss_gen is NaN or infinite."]


def test_a_score_above_the_bound(trained: Callable[..., Path]) -> None:
    folder = trained(distance=6.25)
    assert learned(folder) == ["At iteration 400 FD-fashion10k-train is 6.25, the bound 6."]
    assert learned(folder, bound=None) == []


def test_a_score_that_is_no_number_or_not_there(trained: Callable[..., Path]) -> None:
    folder = trained(distance=math.nan)
    assert learned(folder) == ["At iteration 400 FD-fashion10k-train is nan, the bound 6."]
    (folder / SCORES).unlink()
    assert learned(folder) == ["At iteration 400 its Frechet distance is nan, the bound 6."]


def test_a_training_that_never_began(tmp_path: Path) -> None:
    assert len(learned(tmp_path / "none")) == 2


# --- all of it


def step(name: str, code: str, part: str = "speed", minutes: float = 1) -> Step:
    return Step(part, name, ("-c", code), minutes)


def tried(planned: list[Step], out: Path, end: float = math.inf) -> list[dict[str, Any]]:
    asyncio.run(first_gpu.tried(planned, out, end))
    return first_gpu.lines(out)


def test_an_outcome_that_cannot_be_read_is_short() -> None:
    def unreadable(outcome: Outcome) -> judges.Found:
        raise UserError("Line 3 is torn")

    line = first_gpu.record(Step("fid", "x", (), 1, unreadable), Outcome(1, 2.0, "last\n"))
    assert line["short"] == [
        "It ended with status 1: last",
        "What it left cannot be read: UserError, Line 3 is torn",
    ]


def test_every_step_goes_on_after_one_that_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = [step("bad", "import sys; sys.exit('no card')"), step("good", "print('fine')")]
    bad, good = tried(planned, tmp_path)
    assert (bad["step"], bad["status"]) == ("speed_bad", 1) and good["short"] == []
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [bad, good]
    assert (tmp_path / "speed_good.log").read_text() == "fine\n"
    short = first_gpu.told([*planned, step("other", "")], tmp_path)
    assert short == ["speed_bad: It ended with status 1: no card"]
    assert "Not done yet: speed_other." in capsys.readouterr().out


def test_a_second_call_does_what_is_left_and_clears_what_was_cut(tmp_path: Path) -> None:
    """A step whose limit is later than the end is not begun."""
    left = f"import pathlib; print(*pathlib.Path('{tmp_path / 'speed_b'}').glob('*'))"
    planned = [step("a", "print(1)"), step("b", left, minutes=9)]
    assert len(tried(planned, tmp_path, time.monotonic() + 120)) == 1
    (tmp_path / "speed_b").mkdir()
    (tmp_path / "speed_b" / "half").touch()
    (tmp_path / "speed_a.log").unlink()
    assert [line["step"] for line in tried(planned, tmp_path)] == ["speed_a", "speed_b"]
    assert not (tmp_path / "speed_a.log").exists()
    assert (tmp_path / "speed_b.log").read_text() == "\n"


def test_a_process_for_a_method_runs_beside_others(tmp_path: Path) -> None:
    """Each waits until the other has begun; nowhere else do two steps meet."""
    meet = (
        "import pathlib, sys, time; here = pathlib.Path('{0}'); (here / 'x{1}').touch()\n"
        "for _ in range(600):\n    if (here / 'x{2}').exists(): sys.exit()\n    time.sleep(0.1)\n"
        "sys.exit('alone')"
    )
    pair = [step(str(k), meet.format(tmp_path, k, 1 - k), "methods") for k in (0, 1)]
    assert [line["status"] for line in tried(pair, tmp_path)] == [0, 0]
    assert set(AT_ONCE) == {"methods"}


@pytest.mark.usefixtures("usual_signals")
def test_ctrl_c_ends_what_runs(tmp_path: Path) -> None:
    """asyncio then cancels what waits for it."""
    log = tmp_path / "log"
    command = ["sh", "-c", "echo $$; exec sleep 100"]

    async def cut() -> int:
        task = asyncio.create_task(perform(command, tmp_path, 60, log))
        while not (log.exists() and log.read_text().endswith("\n")):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return int(log.read_text())

    number = asyncio.run(asyncio.wait_for(cut(), 60))
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_the_archive_has_all_but_snapshots(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("steps.jsonl", "run/log.jsonl", "run/snapshots/1.pt", "run/samples/1.png"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(name)
    first_gpu.archive(out)
    with tarfile.open(tmp_path / "out.tar.gz") as file:
        names = {member.name for member in file if member.isfile()}
    assert names == {"out/steps.jsonl", "out/run/log.jsonl", "out/run/samples/1.png"}


def test_without_a_card_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ended = CliRunner().invoke(first_gpu.command, ["--out", str(tmp_path / "out")])
    assert isinstance(ended.exception, UserError) and "no CUDA card" in str(ended.exception)
    assert not (tmp_path / "out").exists()


def test_a_part_that_is_not_there_is_one_sentence() -> None:
    assert first_gpu.parts("fid,speed") == ("fid", "speed") and first_gpu.parts(None) == PARTS
    with pytest.raises(UserError, match=r"no part 'fit'.*Did you mean 'fid'\?"):
        first_gpu.parts("fit")


@pytest.mark.parametrize("scale", [ON_CARD, REHEARSAL])
def test_steps_differ_in_name_and_put_all_into_one_folder(scale: Any, tmp_path: Path) -> None:
    planned = steps(tmp_path, scale)
    assert len({step.file for step in planned}) == len(planned)
    places = [PARTS.index(step.part) for step in planned]
    assert places == sorted(places) and {*PARTS} - {"tests"} <= {step.part for step in planned}
    for one in planned:
        words = one.arguments
        if "--out" in words:
            assert words[words.index("--out") + 1] == str(tmp_path / one.file)
        if "--results" in words:
            assert words[words.index("--results") + 1] == str(tmp_path / one.part)


def test_a_card_has_every_method_and_what_others_take_longest_for(tmp_path: Path) -> None:
    names = [(step.part, step.name) for step in steps(tmp_path, ON_CARD)]
    first = ("sngan_resnet", "biggan_cifar", "pggan_128", "pix2pix_16", "pix2pixhd")
    assert {("speed", name) for name in first} <= set(names)
    assert [name for part, name in names if part == "methods"] == algorithms.names()
    longest = max(step.minutes for step in steps(tmp_path, ON_CARD))
    assert 60 * longest + first_gpu.SAVING < 600  # of a command on a borrowed card


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gan", "sngan"])  # parts of other names
def test_a_card_tries_a_method_alone_and_nothing_on_the_cpu(name: str) -> None:
    (one,) = (step for step in steps(Path(), ON_CARD) if step.file == f"methods_{name}")
    code = "import sys, pytest, torch; torch.cuda.is_available = lambda: True; pytest.main()"
    command = [sys.executable, "-c", code, *one.arguments[2:], "--collect-only", "-q"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert sorted(re.findall(r"::(test_\w+\[.*\])$", listed, re.MULTILINE)) == [
        f"test_captured_iterations_are_eager_ones[cuda:0-{name}]",
        f"test_no_update_waits_for_the_gpu[cuda:0-{name}]",
        f"test_the_first_update_is_the_cpus[{name}-cuda:0]",
    ], listed


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANLIB_INCEPTION")  # names no file here, which a timing of a FID refuses
    out = tmp_path / "out"
    command = [sys.executable, "-m", "scripts.first_gpu", "--rehearse", "--out", str(out)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0 and "Nothing fell short." in ended.stdout, ended.stdout
    found = {line["step"]: line for line in first_gpu.lines(out)}
    assert set(found) == {step.file for step in steps(out, REHEARSAL)}
    assert {found[f"methods_{name}"]["passed"] for name in REHEARSAL.methods} == {3}
    assert 0 < found["fid_fid"]["float32, the distance alone"] < found["fid_fid"]["float32"]
    with tarfile.open(tmp_path / "out.tar.gz") as file:
        assert "out/trainings_sngan/samples/0000060.png" in file.getnames()
