"""What an evaluation of a generator is made of, without the command line."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from scipy.stats import chisquare
from torch import Tensor

import ganlib
from ganlib.commands.scores import self_test
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.evaluation import Evaluator, Score
from ganlib.evaluation.metrics.by_class import proportions
from ganlib.evaluation.protocol import Instrument, differences, stamp
from ganlib.training.scores.real_images import RealImages
from ganlib.training.scores.scorer import (
    Criteria,
    Drawing,
    make_scorer,
    origin_of,
    scores_line,
)

Make = Callable[..., Path]


def evaluator_of(real: RealImages, extractor: str | None = None, **more: Any) -> Evaluator:
    """What make_scorer() scores images of no generator by."""
    found = make_scorer(None, real, Criteria(extractor=extractor, **more)).evaluator
    assert found is not None
    return found


def test_an_evaluator_from_names(toy_file: Path) -> None:
    evaluator = evaluator_of(RealImages(str(toy_file), reference="train"), "fashion")
    assert evaluator.extractor.name == "fashion" and evaluator.main == "train"
    assert evaluator_of(RealImages("fashion_mnist", reference="test")).extractor.name == "fashion"
    assert evaluator_of(RealImages("emoji", reference="test")).extractor.name == "emoji"


def test_what_cannot_be_an_evaluator(toy_file: Path) -> None:
    with pytest.raises(UserError, match="give --dataset NAME, or --reference"):
        evaluator_of(RealImages(), "fashion")
    with pytest.raises(UserError, match="--dataset NAME, or --reference"):
        evaluator_of(RealImages(reference="test"), "fashion")
    with pytest.raises(UserError, match="Did you mean 'fashion'"):
        evaluator_of(RealImages(str(toy_file)), "fasion")
    with pytest.raises(UserError, match="of the extractor 'fashion', .* or name the --extractor"):
        evaluator_of(RealImages("fashion_mnist"), extractor_weights=toy_file)
    with pytest.raises(UserError, match="nowhere"):
        evaluator_of(RealImages(reference="nowhere"), "fashion")


@pytest.mark.parametrize(("decay", "weights"), [(0.0, "raw"), (0.9, "ema")])
def test_origin(make_snapshot: Make, decay: float, weights: str) -> None:
    updater = ganlib.load(make_snapshot(ema_decay=decay)).updater
    origin = origin_of(updater, 3, 0.5)
    assert (origin.weights, origin.bn_mode) == (weights, "running")
    assert (origin.truncation, origin.seed) == (0.5, 3)
    assert origin_of(updater, 0).truncation is None
    assert origin_of(updater, 0, statistics="standing:4").bn_mode == "standing:4"


def test_samples_come_with_their_labels_and_statistics(
    small_methods: None, make_updater: Any
) -> None:
    updater = make_updater("labelled")
    (x, y), (more, rest) = Drawing(6, 1, batch_size=4).batches(updater)
    assert torch.equal(torch.cat([y, rest]), updater.latents(range(6), 1)[1])
    torch.testing.assert_close(torch.cat([x, more]), next(updater.sample(6, 1)))
    updater = make_updater("dcgan")
    updater.update()
    ((x, y),) = Drawing(6, 1, statistics="batch").batches(updater)
    assert y is None and torch.equal(x, next(updater.sample(6, 1, statistics="batch")))


def test_each_label_is_asked_for_as_often_as_it_is_among_the_data(
    small_methods: None, make_updater: Any, toy_data: Callable[..., DataSet]
) -> None:
    """By Pearson's chi-square test, for any seed; of three classes, one is three fifths of all."""
    data = toy_data()
    y = torch.tensor([0, 0, 0, 1, 2]).repeat(7)[:32]
    updater = make_updater("labelled", data=replace(data, y=y, classes=("a", "b", "c")))
    expected = 2000 * np.bincount(y.numpy()) / 32
    for seed in range(5):
        asked = torch.cat([labels for _, labels in Drawing(2000, seed).batches(updater)])
        assert chisquare(np.bincount(asked.numpy()), expected).pvalue > 1e-4
        assert proportions(asked, y, 3).kind == "marginal"
        assert origin_of(updater, seed).classes == ("a", "b", "c")
    assert chisquare(3 * [2000 / 3], expected).pvalue < 1e-9


def test_a_line_of_scores_holds_all_of_them(toy_file: Path) -> None:
    evaluator = evaluator_of(RealImages(str(toy_file)), "fashion")
    scores = evaluator([_all(evaluator.images["train"])], ["is"]).scores
    line = json.loads(json.dumps(scores_line(scores, 7, 100)))
    assert (line["iteration"], line["images"], line["seconds"]) == (7, 100, None)
    read = {name: Score.from_dict(name, record) for name, record in line["scores"].items()}
    assert read == scores


def test_known_answers_of_small_data(toy_file: Path) -> None:
    found = _answers(str(toy_file), "fashion")
    assert [answer.right for answer in found] == [True, None]
    assert "train against itself" in str(found[0])
    assert "the right value is not known" in str(found[1])


def test_known_answers_without_test_images(
    tmp_path: Path, toy_data: Callable[..., DataSet]
) -> None:
    write_hdf5(tmp_path / "one.h5", toy_data())
    _, answer = _answers(str(tmp_path / "one.h5"), "fashion")
    assert str(answer).startswith("not checked: ") and "no test images" in answer.text


def _answers(dataset: str, extractor: str) -> list[self_test.Answer]:
    console = Console(file=io.StringIO())
    with pytest.warns(UserWarning, match="too few"):
        return list(
            self_test.answers(RealImages(dataset), Criteria(extractor=extractor), "cpu", console)
        )


@pytest.mark.parametrize(
    ("found", "change", "right"),
    [
        (0.5, {}, True),
        (0.5004, {}, True),
        (0.5006, {}, False),
        (0.5, {"sha256": "0" * 64}, False),
        (0.5, {self_test.KEY: None}, None),
    ],
)
@pytest.mark.parametrize("dataset", ["fashion_mnist", "emoji", "wardrobe"])
def test_the_recorded_distance_must_be_found(
    dataset: str,
    found: float,
    change: dict[str, Any],
    right: bool | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extractor = evaluator_of(RealImages(dataset, reference="test")).extractor
    record = {"sha256": extractor.digest, self_test.KEY: 0.5, **change}
    kept = {key: value for key, value in record.items() if value is not None}
    (tmp_path / f"{extractor.name}.json").write_text(json.dumps(kept))
    monkeypatch.setattr(self_test, "RECORDS", tmp_path)
    assert self_test._train_test("x", found, dataset, extractor).right is right


@pytest.mark.parametrize("dataset", ["moving", "wardrobe_wide"])
def test_of_data_in_features_of_others_nothing_is_known(dataset: str) -> None:
    """They have an extractor of their own, whose record is of other data."""
    extractor = evaluator_of(RealImages(dataset, reference="test")).extractor
    answer = self_test._train_test("x", 0.5, dataset, extractor)
    assert answer.right is None and "not known" in answer.text


def test_by_default_data_that_an_extractor_was_trained_on_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def no_answers(dataset: str, evaluator: Evaluator, progress: Any) -> list[Any]:
        asked.append((dataset, evaluator.extractor.name))
        return []

    monkeypatch.setattr(self_test, "_answers", no_answers)
    (left,) = self_test.answers(
        RealImages(data_root=tmp_path), Criteria(), "cpu", Console(file=io.StringIO())
    )
    assert left.right is None and "cifar10" in left.text
    assert asked == [("fashion_mnist", "fashion"), ("emoji", "emoji"), ("wardrobe", "wardrobe")]


def test_known_answers_of_emoji() -> None:
    console = Console(file=io.StringIO())
    found = list(self_test.answers(RealImages("emoji"), Criteria(), "cpu", console))
    assert [answer.right for answer in found] == [True, True]
    assert all("FD-emoji of emoji" in answer.text for answer in found)


def test_what_cifar10_needs_is_looked_for_and_not_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANLIB_INCEPTION", raising=False)
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ganlib.evaluation.extractors.inception.PACKAGE", "ganlib-no-such-package")
    assert "cifar-10-batches-py" in self_test._missing(tmp_path, None)
    (tmp_path / "cifar10" / "cifar-10-batches-py").mkdir(parents=True)
    assert "--extractor-weights" in self_test._missing(tmp_path, None)
    assert self_test._missing(tmp_path, tmp_path / "weights.pth") == ""
    monkeypatch.setenv("GANLIB_INCEPTION", "weights.pth")
    assert self_test._missing(tmp_path, None) == ""


def _all(images: Any) -> Tensor:
    x: Tensor = images[torch.arange(len(images))]
    return x


def test_scores_say_what_fixed_networks_the_generator_was_trained_on(small_snapshot: Make) -> None:
    """Of a run from its losses' own, of a snapshot as that knows them; hashes do not."""
    model = ganlib.load(small_snapshot("perceptual"))
    found = origin_of(model.updater, 0)
    (digest,) = model.updater.frozen.digests.values()
    assert found.trained_on == f"vgg {digest[:8]}" and len(digest) == 64
    by = Instrument("pixels")
    with_it, without = (stamp(by, x, 5, {}) for x in (found, replace(found, trained_on=None)))
    assert with_it.hash == without.hash and with_it.to_dict()["trained_on"] == found.trained_on
    assert differences(with_it, without) == []
