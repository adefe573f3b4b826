"""--segmentation of a run: the figures of `ganlib evaluate`, by one training of a segmenter."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import ganlib
from ganlib.common.data.spec import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.contract.fixtures import toy
from ganlib.evaluation.pairs import segmenter
from ganlib.registry import algorithms

NAMES = ["pixel_accuracy", "mean_iou"]
SMALL: dict[str, Any] = {
    "algorithm": "labelmap",
    "dataset": "data.h5",
    "out": "run",
    "gpu": -1,
    "width": 0.1,
    "batch_size": 4,
    "max_iter": 4,
    "evaluation_interval": 2,
    "evaluation_images": 32,
    "metrics": "is",
    "extractor": "fashion",
    "tensorboard": False,
    "segmentation": True,
}

pytestmark = pytest.mark.usefixtures("small_methods")


@pytest.fixture
def trainings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_methods: None
) -> list[tuple[Any, ...]]:
    """In a folder with data.h5, the maps and images of labelmap; all trainings, of a few steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    example = algorithms["labelmap"].example
    assert example is not None
    write_hdf5(Path("data.h5"), example(1, 28))
    calls: list[tuple[Any, ...]] = []
    real = segmenter.trained

    def short(*args: Any) -> Any:
        calls.append(args)
        return real(*args, steps=5)

    monkeypatch.setattr(segmenter, "trained", short)
    return calls


def test_a_run_has_the_figures_of_the_command(
    trainings: list[Any], run: Callable[..., Result]
) -> None:
    model = ganlib.train(**SMALL)
    lines = read_lines(Path("run/scores.jsonl"))
    assert [line["iteration"] for line in lines] == [2, 4] and len(trainings) == 1
    last = lines[-1]["scores"]
    assert list(last)[-2:] == NAMES and last["mean_iou"]["protocol"]["n_generated"] == 32
    logged = read_lines(Path("run/log.jsonl"))[-1]
    assert [logged[name] for name in NAMES] == [last[name]["value"] for name in NAMES]

    options = ["--segmentation", "--metrics", "is", "-n", 32, "--extractor", "fashion"]
    told = run("evaluate", "run", *options, "--device", "cpu", "--out", "scores.json")
    assert told.exit_code == 0, told.exception
    again = json.loads(Path("scores.json").read_text())["scores"]
    assert {name: again[name] for name in NAMES} == {name: last[name] for name in NAMES}
    assert len(read_lines(Path("run/scores.jsonl"))) == 3  # they are the run's own

    for python in (model, ganlib.load("run")):
        scores = python.evaluate(32, ("is",), extractor="fashion", segmentation=True)
        assert {name: scores[name].to_dict() for name in NAMES} == {n: last[n] for n in NAMES}
    assert "mean_iou" not in model.evaluate(32, ("is",), extractor="fashion")
    assert len(trainings) == 1

    shown = run("compare", "run", "--columns", "mean_iou,pixel_accuracy").output
    assert "mean_iou ↑" in shown and "pixel_accuracy ↑" in shown
    assert f"What real images reach: mean_iou {last['mean_iou']['more']['real']['value']:.4g}" in (
        shown
    )


@pytest.mark.parametrize("interval", [0, 2])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dcgan", "segmentation=True is for a generator that translates sources to which"),
        (
            "unpaired",
            "segmentation=True is for a generator that translates sources to which",
        ),
        ("superres", "and these data have none: leave segmentation=True out."),
    ],
)
def test_what_has_no_maps_is_refused_before_it_trains(
    name: str, words: str, interval: int, trainings: list[Any]
) -> None:
    example: Callable[..., DataSet] = algorithms[name].example or toy
    write_hdf5(Path("data.h5"), example(1, 28))
    data = example(1, 28) if name == "unpaired" else "data.h5"  # a file holds pairs
    with pytest.raises(UserError) as told:
        ganlib.train(
            **{**SMALL, "algorithm": name, "dataset": data, "evaluation_interval": interval}
        )
    assert words in str(told.value) and not Path("run").exists() and not trainings
    if name != "unpaired":
        with pytest.raises(UserError, match="leave (it|segmentation=True) out"):
            no_maps = {**SMALL, "algorithm": name, "segmentation": False, "evaluation_interval": 0}
            ganlib.train(**no_maps).evaluate(8, ("is",), segmentation=True)


@pytest.mark.usefixtures("trainings")
def test_the_best_snapshot_by_it() -> None:
    ganlib.train(**SMALL, best_by="max:mean_iou")
    assert Path("run/snapshots/best.pt").is_file()
    with pytest.raises(UserError, match="no evaluation of this run gives 'mean_iou'"):
        other = {**SMALL, "out": "other", "segmentation": False}
        ganlib.train(**other, best_by="max:mean_iou")
