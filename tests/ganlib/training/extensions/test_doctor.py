"""What the doctor says of a run, and what it does if it is asked to."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.contract.test_contract import assert_same
from ganlib.training.doctor import figures
from ganlib.training.doctor.figures import Look
from ganlib.training.snapshot import list_snapshots, read_snapshot

QUIET = {"spread": 0.9, "contrast": 1.0, "auc": 0.8, "apart": 1.0, "nearest": 1.0}
SMALL: dict[str, Any] = {
    **{"dataset": "ring8", "architecture": "mlp", "batch_size": 8, "width": 0.1, "gpu": -1},
    **{"tensorboard": False, "evaluation_interval": 0, "sample_interval": 0, "out": "run"},
    **{"max_iter": 7, "display_interval": 1, "snapshot_interval": 1, "keep_snapshots": 9},
}


@pytest.fixture
def collapses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """From this iteration on all samples are alike."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ganlib.runs.default_extensions.LOOKS", 1)

    def begin(start: int) -> None:
        def look(self: Any) -> Look:
            ill = self.updater.iteration >= start and self.updater.slowed == 1
            return Look({**QUIET, "spread": 0.01 if ill else 0.9})

        monkeypatch.setattr(figures.Figures, "__call__", look)

    return begin


def sentences(run: Path = Path("run")) -> Mapping[int, str]:
    lines = read_lines(run / "log.jsonl")
    return {line["iteration"]: line["doctor"] for line in lines if "doctor" in line}


def test_a_finding_is_said_once_in_the_terminal_and_in_the_log(
    collapses: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    collapses(2)
    ganlib.train("dcgan", **SMALL)
    assert list(sentences()) == [4]
    assert sentences()[4].startswith("collapse: Since iteration 2, probably: samples are alike")
    assert capsys.readouterr().err.count("collapse: ") == 1
    lines = read_lines(Path("run/log.jsonl"))
    assert [line["iteration"] for line in lines] == [*range(1, 8)]
    assert [line["doctor/spread"] for line in lines] == [0.9, *6 * [0.01]]
    assert 0 < lines[0]["doctor/data_labels"] and "doctor/data_labels" not in lines[1]


def test_a_run_is_stopped_on_what_was_asked_for(
    collapses: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    collapses(2)
    ganlib.train("dcgan", **SMALL, stop_on="memorising,collapse")
    said = " ".join(capsys.readouterr().err.split())
    assert "Stopped at iteration 4: collapse: Since iteration 2, probably: " in said
    assert not Path("run/DONE").exists()


def test_a_run_goes_back_once_and_resumes_to_the_last_bit(
    collapses: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    collapses(3)
    straight = ganlib.train("dcgan", **SMALL, on_collapse="rollback")
    assert straight.updater.iteration == 7 and straight.updater.slowed == 0.5
    said = " ".join(capsys.readouterr().err.split())
    assert "At iteration 5, after a collapse, back to iteration 2 with half the" in said
    assert list(sentences()) == [2] and sentences()[2].startswith("rollback: ")
    lines = read_lines(Path("run/log.jsonl"))
    assert [line["iteration"] for line in lines] == [*range(1, 8)]
    # as if it was killed once it had gone back, and some iterations later
    wanted = straight.updater.state()
    for kept in (2, 4):
        for path in list_snapshots(Path("run/snapshots")):
            if int(path.stem[5:]) > kept:
                path.unlink()
        Path("run/DONE").unlink()
        again = ganlib.train("dcgan", **SMALL, on_collapse="rollback", resume="auto")
        assert_same(again.updater.state(), wanted)


def test_without_a_snapshot_from_before_it_goes_on(
    collapses: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    collapses(1)
    model = ganlib.train("dcgan", **{**SMALL, "snapshot_interval": 0}, on_collapse="rollback")
    assert model.updater.iteration == 7 and model.updater.slowed == 1
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("There is no snapshot from before iteration 3 to go back to") == 1


def test_a_run_is_the_same_without_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganlib.runs.default_extensions.LOOKS", 1)
    states = {}
    for doctor in (True, False):
        settings = {**SMALL, "max_iter": 2, "out": tmp_path / str(doctor), "doctor": doctor}
        ganlib.train("sngan", **settings)
        states[doctor] = read_snapshot(tmp_path / str(doctor) / "snapshots" / "iter_0000002.pt")
        logged = any("doctor" in name for name in read_lines(settings["out"] / "log.jsonl")[0])
        assert logged == doctor
    assert_same(states[True]["updater"], states[False]["updater"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"stop_on": "colapse"},
            "stop_on: the doctor knows no 'colapse'. Did you mean 'collapse'",
        ),
        ({"stop_on": "collapse", "doctor": False}, "leave doctor=False out"),
        ({"on_collapse": "rollback", "doctor": False}, "leave doctor=False out"),
    ],
)
def test_what_cannot_be_asked_for_is_said(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        ganlib.train("dcgan", **{**SMALL, **settings})
