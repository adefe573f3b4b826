"""Runs that train on some of the images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import to_pil_image

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.query import DataQuery

SMALL: dict[str, Any] = {
    **{"algorithm": "dcgan", "architecture": "quick", "width": 0.1, "batch_size": 4, "gpu": -1},
    **{"tensorboard": False, "sample_interval": 0, "max_iter": 2, "evaluation_interval": 0},
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def images(n: int | None, dataset: str = "fashion_mnist", **what: Any) -> DataSet:
    return DataQuery(dataset, subset=n, **what).open()


def pixels(x: Any) -> set[bytes]:
    return {image.numpy().tobytes() for image in x}


def test_a_subset_is_of_the_training_images_and_larger_ones_hold_it() -> None:
    few, more, every = images(5), images(50), images(None)
    assert (len(few), len(more)) == (5, 50) and few.y is not None and every.y is not None
    assert pixels(few.x) < pixels(more.x) < pixels(every.x)
    assert few.classes == every.classes and few.shape == every.shape
    places = [int((every.x == x).flatten(1).all(1).nonzero()[0]) for x in few.x]  # type: ignore[attr-defined]
    assert torch.equal(few.y, every.y[places]) and places != [*range(5)]
    assert len(images(5, split="test")) == 10_000


def test_sources_stay_with_their_images() -> None:
    few = images(4, "emoji", source="grey")
    assert few.source is not None and few.paired
    wanted = [np.asarray(to_pil_image(x).convert("L")) for x in few.x]  # type: ignore[attr-defined]
    assert np.array_equal(few.source[torch.arange(4)][:, 0].numpy(), np.stack(wanted))


@pytest.mark.filterwarnings("ignore:.*too few")
def test_a_run_says_what_it_trains_on_and_goes_on_with_it() -> None:
    runs = [ganlib.train(subset=6, seed=seed, **SMALL) for seed in (0, 1)]
    assert [run.out.parent.name for run in runs] == ["dcgan_fashion_mnist_6"] * 2
    one, other = (run.updater.data.data.x for run in runs)
    assert len(one) == 6 and torch.equal(one, other)
    with pytest.raises(UserError, match="subset was 6 and is now 7"):
        ganlib.train(resume=str(runs[0].out), subset=7, max_iter=3)
    score = ganlib.load(runs[0].out).evaluate(8, metrics=["fid"], extractor="fashion")
    assert score["FD-fashion8-train"].protocol.n_reference == 6


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"subset": 100_000}, "has 60,000 images, and no subset of 100,000"),
        ({"subset": 5, "dataset": "emoji", "crop": 32}, "crops are cut anew"),
        ({"subset": 0}, "subset"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        ganlib.train(**{**SMALL, **settings})
