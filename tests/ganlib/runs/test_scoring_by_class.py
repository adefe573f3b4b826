"""What a run of a method that is told labels scores itself by, and what others do."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.evaluation import Score
from ganlib.evaluation.extractors.fashion import FASHION
from ganlib.training.scores.scorer import Drawing

pytestmark = [
    pytest.mark.usefixtures("small_methods"),
    pytest.mark.filterwarnings("ignore:.* too few"),
]
METHODS = Path(ganlib.__file__).parents[1] / "tests" / "methods"
SETTINGS: dict[str, Any] = {
    "algorithm": "labelled",
    "gpu": -1,
    "width": 0.05,
    "batch_size": 4,
    "max_iter": 2,
    "evaluation_interval": 2,
    "evaluation_images": 300,
    "extractor": "fashion",
}


@pytest.fixture
def data(toy_data: Callable[..., DataSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty images that are called as Fashion-MNIST's are, twenty of them to test on."""
    monkeypatch.chdir(tmp_path)
    splits = [
        replace(toy_data(n=n), y=torch.arange(n) % 10, classes=FASHION.classes) for n in (40, 20)
    ]
    write_hdf5(Path("data.h5"), *splits)
    return Path("data.h5")


def scores(model: Any) -> dict[str, Score]:
    (line,) = read_lines(model.out / "scores.jsonl")
    return {name: Score.from_dict(name, score) for name, score in line["scores"].items()}


def test_by_default_classes_are_scored_too(data: Path, run: Callable[..., Result]) -> None:
    model = ganlib.train(dataset=str(data), **SETTINGS)
    trained = scores(model)
    assert list(trained) == [
        "IS-fashion300",
        "FD-fashion300-train",
        "FD-fashion300-test",
        "intra-FD-fashion300-train",
        "class-accuracy-fashion300",
    ]
    log = read_lines(model.out / "log.jsonl")[-1]
    assert all(log[name] == found.value for name, found in trained.items())
    assert trained["class-accuracy-fashion300"].more["real"]["n"] == 20

    assert model.evaluate(300) == trained
    options = ["-n", 300, "--device", "cpu", "--out", "x.json", "--plugin-dir", METHODS]
    assert run("evaluate", model.out, *options).exit_code == 0
    again = json.loads(Path("x.json").read_text())["scores"]
    assert {name: again[name]["hash"] for name in trained} == {
        name: found.protocol.hash for name, found in trained.items()
    }
    assert again["class-precision-fashion300-train"]["more"]["by_class"]


def test_as_many_of_each_class_as_asked_for(data: Path, run: Callable[..., Result]) -> None:
    model = ganlib.train(dataset=str(data), **{**SETTINGS, "evaluation_interval": 0})
    name, options = "intra-FD-fashion30-each-train", ["--device", "cpu", "--plugin-dir", METHODS]
    found = model.evaluate(20, ["fid"], intra_images=30)[name]
    assert found.protocol.n_generated == 300 and len(found.more["by_class"]) == 10
    done = run(
        "evaluate", model.out, "-n", 20, "--metrics=fid", "--intra-images=30", "--out=x.json",
        "--batch-size=7", *options,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    again = Score.from_dict(name, json.loads(Path("x.json").read_text())["scores"][name])
    assert again.protocol.hash == found.protocol.hash
    assert again.value == pytest.approx(found.value, rel=1e-4)
    # each class has latents of its own: here those of samples 30 to 59
    drawn = model.updater.sample_stream(0, y=1).images(range(30, 60))
    kept = list(Drawing(batch_size=16).of_class(model.updater, 30)(1))
    assert [len(x) for x in kept] == [16, 14]
    torch.testing.assert_close(torch.cat(kept), drawn, rtol=1e-4, atol=1e-5)
    plain = ganlib.train(dataset=str(data), **{**SETTINGS, "algorithm": "dcgan", "out": "plain"})
    with pytest.raises(UserError, match="intra.images=? is for a generator that is told"):
        plain.evaluate(20, intra_images=30)
    with pytest.raises(UserError, match="intra_images is 1: a distance takes at least two"):
        model.evaluate(20, intra_images=1)


def test_what_is_asked_for_is_all_there_is(data: Path) -> None:
    model = ganlib.train(dataset=str(data), metrics="fid,class_pr", **SETTINGS)
    assert list(scores(model))[-1] == "class-recall-fashion300-train"
    assert not any(name.startswith(("IS", "intra")) for name in scores(model))


def test_of_classes_that_the_extractor_does_not_know_the_distance_is_left(
    data: Path, toy_file: Path
) -> None:
    model = ganlib.train(dataset=str(toy_file), **SETTINGS)
    assert list(scores(model))[3:] == ["intra-FD-fashion300-train"]
    with pytest.raises(UserError, match="'class_accuracy' asks the extractor for the data's cla"):
        ganlib.train(dataset=str(toy_file), metrics="class_accuracy", out="other", **SETTINGS)
    assert not Path("other").exists()


def test_other_methods_are_scored_as_before(data: Path) -> None:
    model = ganlib.train(dataset=str(data), **{**SETTINGS, "algorithm": "dcgan"})
    assert list(scores(model)) == ["IS-fashion300", "FD-fashion300-train", "FD-fashion300-test"]
    assert model.evaluate(300) == scores(model)
    with pytest.raises(UserError, match="'intra' needs the labels .* a generator that is told"):
        model.evaluate(300, ["intra"])


def test_the_best_snapshot_may_be_that_of_a_score_by_class(data: Path) -> None:
    model = ganlib.train(dataset=str(data), best_by="min:intra-FD-fashion300-train", **SETTINGS)
    assert (model.out / "snapshots" / "best.pt").exists()
    with pytest.raises(UserError, match="Did you mean 'intra-FD-fashion300-train'"):
        ganlib.train(dataset=str(data), best_by="min:intra-FD-fashion30-train", **SETTINGS)
