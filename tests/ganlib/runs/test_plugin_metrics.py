"""A metric of a plugin folder, in a run and afterwards: the accuracy of the labels asked for."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result

import ganlib
import ganlib.evaluation.metrics as package
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.io.jsonl import read_lines
from ganlib.common.pictures import to_uint8
from ganlib.evaluation.extractors.base import make_extractor
from ganlib.evaluation.metrics.base import metrics

METHODS = Path(ganlib.__file__).parents[1] / "tests" / "methods"
SETTINGS: dict[str, Any] = {
    "gpu": -1,
    "width": 0.05,
    "batch_size": 4,
    "max_iter": 2,
    "evaluation_interval": 2,
    "evaluation_images": 300,
    "extractor": "fashion",
    "metrics": "fid,asked_accuracy",
    "plugin_dir": [METHODS],
}

pytestmark = [
    pytest.mark.usefixtures("plugins", "plugged"),
    pytest.mark.filterwarnings("ignore:.* images are too few"),
]


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a folder of its own; metrics that a test registers are forgotten after it."""
    monkeypatch.chdir(tmp_path)
    entries, places = dict(metrics.entries), list(package.__path__)
    yield
    metrics.entries.clear()
    metrics.entries.update(entries)
    package.__path__[:] = places


def test_a_run_and_evaluate_agree_with_the_extractors_own_words(
    run: Callable[..., Result], toy_data: Callable[..., DataSet]
) -> None:
    # as many classes as the extractor's, or what it says of noise might be none of them
    data = replace(toy_data(), y=torch.arange(32) % 10, classes=tuple("0123456789"))
    write_hdf5(Path("ten.h5"), data)
    model = ganlib.train(algorithm="labelled", dataset="ten.h5", **SETTINGS)
    (line,) = read_lines(model.out / "scores.jsonl")
    trained = line["scores"]["asked_accuracy-fashion300"]

    z, y = model.updater.latents(range(300), seed=0)
    images, extractor = to_uint8(model.updater.decode(z, y)), make_extractor("fashion")
    logits = torch.cat([extractor(images[k : k + 256]).logits for k in (0, 256)])  # type: ignore
    right = sum(int(a) == int(b) for a, b in zip(logits.argmax(1), y, strict=True))  # type: ignore
    assert 0 < right < 300
    assert trained["value"] == pytest.approx(right / 300, rel=1e-12)
    assert trained["protocol"]["settings"]["metric"] == "asked_accuracy"

    options = ["--metrics", "fid,asked_accuracy", "--plugin-dir", METHODS, "-n", 300]
    more = ["--extractor", "fashion", "--device", "cpu", "--batch-size", 70, "-o", "s.json"]
    done = run("evaluate", model.out, *options, *more)
    assert done.exit_code == 0, done.exception
    again = json.loads(Path("s.json").read_text())["scores"]["asked_accuracy-fashion300"]
    assert (again["value"], again["hash"]) == (trained["value"], trained["hash"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "'asked_accuracy' needs the labels that images were asked for"),
        ({"metrics": "is,asked_acuracy"}, "Did you mean 'asked_accuracy'"),
    ],
)
def test_what_cannot_be_had_is_refused_before_training(
    given: dict[str, Any], words: str, toy_file: Path
) -> None:
    with pytest.raises(UserError, match=words):
        ganlib.train(algorithm="dcgan", dataset=str(toy_file), **SETTINGS | given)
    assert not Path("result").exists()


@pytest.mark.parametrize("what", ["samples", "images"])
def test_evaluate_says_what_has_no_labels(
    what: str, run: Callable[..., Result], snapshot: Path, toy_file: Path
) -> None:
    np.savez("x.npz", np.zeros((20, 28, 28, 1), np.uint8))
    target = snapshot if what == "samples" else "x.npz"
    options = ["--metrics", "asked_accuracy", "--plugin-dir", METHODS, "--dataset", toy_file]
    done = run("evaluate", target, *options, "-n", 20, "--extractor", "fashion", "--device", "cpu")
    assert isinstance(done.exception, UserError)
    assert "'asked_accuracy' needs the labels" in str(done.exception)
