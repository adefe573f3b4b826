"""scripts/first_gpu: what falls short is found in what steps print and leave."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
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
from ganlib.speed.bench import Cost, Row, Timing
from ganlib.training.scores.scorer import SCORES
from scripts.first_gpu import __main__ as first_gpu
from scripts.first_gpu import judges
from scripts.first_gpu.process import Outcome, perform
from scripts.first_gpu.steps import TESTS, Done, Step, judged, on_card, rehearsal
from scripts.first_gpu.summary import page, shortfalls

ROOT = Path(ganlib.__file__).parents[1]
QUIET = Outcome(0, 1.0, "")
PYTEST = """\
[gw0] [  3%] PASSED tests/test_cuda.py::test_a[cuda:0-dcgan]
tests/test_cuda.py::test_a[cuda:0-gan]
[gw1] [ 50%] FAILED tests/test_cuda.py::test_a[cuda:0-gan]
[gw1] [ 75%] ERROR tests/test_cuda.py::test_b[cuda:0]
[gw0] [100%] SKIPPED tests/test_cuda.py::test_c[NOTSET]
=========================== short test summary info ============================
FAILED tests/test_cuda.py::test_a[cuda:0-gan] - AssertionError: assert ['gen.l0.weight'] == []
=================== 1 failed, 1 passed, 1 skipped, 1 error in 9.02s ====================
"""
TRAINING = "Training sngan on fashion_mnist (60,000 images), cuda:0. Results: here\n"
RESUMED = "Continuing at iteration 200 sngan on fashion_mnist, cuda:0. Results: here\n"
NOT_CAPTURED = "Updates are not captured as CUDA graphs and stay slower: not permitted"
NOT_COMPILED = "loss_dis is not compiled and stays slower: Unsupported: data dependent"


# --- commands


def test_a_command_its_output_and_its_status(tmp_path: Path) -> None:
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"
    outcome = perform([sys.executable, "-c", code], tmp_path, 60, tmp_path / "log")
    assert (outcome.status, outcome.output) == (3, "one\ntwo\n")
    assert judges.ended_well(outcome) == ["It ended with status 3: two"]
    assert judges.ended_well(QUIET) == []


@pytest.mark.usefixtures("usual_signals")
def test_a_command_whose_time_is_over_ends_with_what_it_started(tmp_path: Path) -> None:
    """Here it is a shell, which waits for another process."""
    command = ["sh", "-c", "echo begun; sleep 100; touch after"]
    outcome = perform(command, tmp_path, 0.5, tmp_path / "log")
    assert outcome.status is None and outcome.output == "begun\n"
    assert not (tmp_path / "after").exists()
    assert re.fullmatch(r"Its time was over after \d+ s\.", *judges.ended_well(outcome))


# --- tests of a card


def test_tests_that_fail_are_named_with_their_reasons() -> None:
    assert judges.all_passed(Outcome(1, 9.0, PYTEST)) == [
        "tests/test_cuda.py::test_a[cuda:0-gan]: AssertionError: assert ['gen.l0.weight'] == []",
        "tests/test_cuda.py::test_b[cuda:0]: error",
    ]
    cut = PYTEST.partition("=====")[0]  # its time was over
    assert judges.all_passed(Outcome(None, 9.0, cut))[0].endswith("test_a[cuda:0-gan]: failed")


def test_tests_of_which_none_ran_fell_short() -> None:
    skipped = "[gw0] [100%] SKIPPED tests/test_cuda.py::test_c[NOTSET] \n"
    assert judges.all_passed(Outcome(0, 1.0, skipped)) == ["No test passed, and 1 were skipped."]
    assert judges.all_passed(Outcome(0, 1.0, skipped + PYTEST.splitlines()[0])) == []


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
        "images": 50_000,
        "precision": "bf16",
        "channels_last": True,
        "weights": "random",
    }


def test_a_workload_is_held_to_its_target_by_its_best_row(tmp_path: Path) -> None:
    measured(tmp_path, "sngan_resnet", row(30, "eager"), row(12.5), row(14))
    assert judges.fast_enough("sngan_resnet", tmp_path, QUIET) == [
        "The best is 12.5 ms (graph, bf16), the target 10 ms."
    ]
    measured(tmp_path, "sngan_resnet", row(30, "eager"), row(9.9))
    assert judges.fast_enough("sngan_resnet", tmp_path, QUIET) == []
    measured(tmp_path, "quickstart", row(1000))  # it has no target
    assert judges.fast_enough("quickstart", tmp_path, QUIET) == []


def test_the_targets_are_those_of_one_card(tmp_path: Path) -> None:
    measured(tmp_path, "sngan_resnet", row(1000), card="another")
    assert judges.fast_enough("sngan_resnet", tmp_path, QUIET) == []


def test_a_row_that_failed_and_results_that_are_missing(tmp_path: Path) -> None:
    measured(tmp_path, "sngan_resnet", row(9), row(None, error=NOT_CAPTURED))
    assert judges.fast_enough("sngan_resnet", tmp_path, QUIET) == [
        f"graph, bf16 failed: {NOT_CAPTURED}"
    ]
    assert judges.fast_enough("wgan_gp_cnn", tmp_path, QUIET) == ["It left no results."]


def test_the_time_of_a_fid_is_in_seconds(tmp_path: Path) -> None:
    measured(tmp_path, FID_NAME, fid(20), fid(8.5))
    assert judges.fast_enough(FID_NAME, tmp_path, QUIET) == [
        "The best is 8.5 s (bf16), the target 8 s."
    ]
    measured(tmp_path, FID_NAME, fid(7.9))
    assert judges.fast_enough(FID_NAME, tmp_path, QUIET) == []


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


def learned(folder: Path, output: str = TRAINING, start: int = 0, end: int = 400) -> list[str]:
    return judges.learned(folder, start, end, 6.0, Outcome(0, 9.0, output))


def test_a_training_that_learned(trained: Callable[..., Path]) -> None:
    folder = trained()
    assert learned(folder) == [] and learned(folder, RESUMED, 200) == []


def test_what_stays_slower_is_short(trained: Callable[..., Path]) -> None:
    output = f"{TRAINING}{NOT_CAPTURED}\n10/400  9 it/s\n{NOT_COMPILED}\n"
    assert learned(trained(), output) == [NOT_CAPTURED, NOT_COMPILED]


def test_a_resumed_training_begins_where_it_stopped(trained: Callable[..., Path]) -> None:
    folder = trained()
    assert learned(folder, TRAINING, 200) == ["It did not begin at iteration 200."]
    assert learned(folder, RESUMED, 20) == ["It did not begin at iteration 20."]
    assert learned(folder, RESUMED, 0) == ["It did not begin at iteration 0."]


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
    assert learned(folder) == ["FD-fashion10k-train is 6.25, above the bound 6."]


def test_a_score_that_is_no_number_or_not_there(trained: Callable[..., Path]) -> None:
    folder = trained(distance=math.nan)
    assert learned(folder) == ["FD-fashion10k-train is nan, above the bound 6."]
    (folder / SCORES).unlink()
    assert learned(folder) == ["It has no score at iteration 400."]


def test_a_training_that_never_began(tmp_path: Path) -> None:
    assert len(learned(tmp_path / "none", "Error: no.\n")) == 3


# --- all of it


def test_an_outcome_that_cannot_be_read_is_short() -> None:
    def unreadable(outcome: Outcome) -> list[str]:
        raise UserError("Line 3 is torn")

    done = judged(Step("x", (), 1, unreadable), Outcome(1, 2.0, "last\n"))
    assert done.short == [
        "It ended with status 1: last",
        "What it left cannot be read: UserError, Line 3 is torn",
    ]


def test_what_every_step_left_is_on_one_page(tmp_path: Path, trained: Callable[..., Path]) -> None:
    picture = trained() / "samples" / "0000400.png"
    picture.parent.mkdir()
    picture.touch()
    measured(tmp_path / "benchmarks", "sngan_resnet", row(12.5))
    measured(tmp_path / "benchmarks", FID_NAME, fid(7.9))
    steps = on_card(tmp_path)
    env = "PyTorch version: 2.11.0\nGPU models and configuration: GPU 0: NVIDIA H100\nOS: Linux\n"
    done = {
        "machine": Done(Outcome(0, 3.0, env), []),
        "benchmark sngan_resnet": Done(Outcome(None, 360.0, ""), ["It is slow."]),
    }
    text = page("Title", steps, done, tmp_path)
    assert "- PyTorch version: 2.11.0\n- GPU models and configuration: GPU 0: NVIDIA H100\n" in text
    assert "- benchmark sngan_resnet: It is slow.\n" in text and "OS: Linux" not in text
    assert "- training wgan_gp: It was not run.\n" in text
    assert "| machine | status 0 | 3 | [01_machine.log](01_machine.log) |" in text
    assert re.search(r"\| benchmark sngan_resnet \| time over \| 360 \| \[06_bench", text)
    assert "| training wgan_gp | not run |" in text
    assert "| graph | bf16 | 80 | 12.5 |" in text and "random ones" in text
    assert "sngan: 400 iterations, 99 images/s, FD-fashion10k-train 5.00." in text
    assert "![samples of sngan](sngan/samples/0000400.png)" in text
    assert len(shortfalls(steps, done)) == 1 + len(steps) - 2


def test_a_page_of_nothing_that_fell_short(tmp_path: Path) -> None:
    steps = [Step("machine", (), 1)]
    text = page("Title", steps, {"machine": Done(QUIET, [])}, tmp_path)
    assert text.startswith("# Title, 20") and "None." in text
    assert "## What fell short\n\nNothing.\n" in text


def test_every_step_goes_on_after_one_that_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = ("-c", "import sys; sys.exit('no card')"), ("-c", "print('fine')")
    short = first_gpu.tried("Title", [Step("bad", bad, 1), Step("good", good, 1)], tmp_path)
    assert short == ["bad: It ended with status 1: no card"]
    assert (tmp_path / "02_good.log").read_text() == "fine\n"
    assert "bad: It ended with status 1" in (tmp_path / "summary.md").read_text()
    assert "1/2 bad ... fell short in 1" in capsys.readouterr().out
    assert first_gpu.tried("Title", [Step("good", good, 1)], tmp_path) == []
    assert "Nothing fell short." in capsys.readouterr().out


def test_without_a_card_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = CliRunner().invoke(first_gpu.command, ["--out", str(tmp_path / "out")])
    assert isinstance(done.exception, UserError) and "no CUDA card" in str(done.exception)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(first_gpu, "command", lambda **_: (_ for _ in ()).throw(done.exception))
    with pytest.raises(SystemExit) as ended:
        first_gpu.main()
    assert ended.value.code == 2


def test_earlier_output_stays(tmp_path: Path) -> None:
    names = [first_gpu.fresh_folder(tmp_path / "a" / "first_gpu").name for _ in range(3)]
    assert names == ["first_gpu", "first_gpu-2", "first_gpu-3"]


@pytest.mark.parametrize("plan", [on_card, rehearsal])
def test_steps_differ_in_name_and_put_all_into_one_folder(
    plan: Callable[[Path], list[Step]], tmp_path: Path
) -> None:
    steps = plan(tmp_path)
    assert len({step.name for step in steps}) == len(steps)
    words = [word for step in steps for word in step.arguments]
    assert words.count("--out") == 2 and str(tmp_path / "sngan") in words
    assert ("--add" in words) == (plan is on_card)
    assert sum(step.minutes for step in on_card(tmp_path)) <= 60


def test_what_others_take_longest_for_is_measured_in_the_first_hour(tmp_path: Path) -> None:
    names = {step.name for step in on_card(tmp_path)}
    first = ("sngan_resnet", "biggan_cifar", "pggan_128", "pix2pix_16", "pix2pixhd")
    assert names >= {f"benchmark {name}" for name in first}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANLIB_INCEPTION")  # names no file here, which a timing of a FID refuses
    out = tmp_path / "out"
    command = [sys.executable, "-m", "scripts.first_gpu", "--rehearse", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "Nothing fell short." in done.stdout, done.stdout
    text = (out / "summary.md").read_text("utf-8")
    assert text.count("status 0") == len(rehearsal(out))
    assert "![samples of sngan](sngan/samples/0000020.png)" in text
    (results,) = (out / "benchmarks").glob("*.json")
    runs = json.loads(results.read_text())["runs"]
    assert set(runs) == {"quickstart", FID_NAME} and runs[FID_NAME]["rows"][0]["images"] == 8
