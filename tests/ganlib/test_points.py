"""Points go where images go: every algorithm's `--architecture mlp` on a mixture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.io.jsonl import read_lines
from ganlib.common.pictures import scatter
from ganlib.common.query import open_dataset
from ganlib.evaluation.metrics.modes import mode_scores
from ganlib.registry import algorithms

SMALL: dict[str, Any] = {
    "dataset": "ring8",
    "architecture": "mlp",
    "width": 0.25,
    "batch_size": 16,
    "max_iter": 4,
    "gpu": -1,
    "tensorboard": False,
}


def takes_points(name: str) -> bool:
    field = algorithms[name].config.model_fields["architecture"]
    return "mlp" in get_args(field.annotation)


@pytest.mark.parametrize("name", [name for name in algorithms.names() if takes_points(name)])
def test_a_run_on_points(name: str, tmp_path: Path) -> None:
    settings = {**SMALL, "evaluation_interval": 4, "evaluation_images": 300}
    model = ganlib.train(algorithm=name, out=tmp_path / "run", **settings)
    samples = model.sample(300)
    assert samples.shape == (300, 2, 1, 1)
    mixture = open_dataset("ring8").mixture
    assert mixture is not None
    expected = mode_scores(samples.flatten(1), *mixture)
    scores = read_lines(tmp_path / "run" / "scores.jsonl")
    assert [line["iteration"] for line in scores] == [4]
    found = {key: value["value"] for key, value in scores[-1]["scores"].items()}
    assert found == pytest.approx(expected)
    log = read_lines(tmp_path / "run" / "log.jsonl")
    assert {key: log[-1][key] for key in expected} == pytest.approx(expected)


@pytest.fixture
def trained(tmp_path: Path) -> ganlib.Model:
    return ganlib.train(algorithm="dcgan", out=tmp_path / "run", evaluation_interval=0, **SMALL)


def test_the_sample_grid_shows_real_points_behind_the_samples(trained: ganlib.Model) -> None:
    real = open_dataset("ring8").x[torch.arange(2000)] / 127.5 - 1
    with Image.open(trained.out / "samples" / "0000004.png") as picture:
        assert picture.tobytes() == scatter(trained.sample(2000), real).tobytes()


def test_what_can_be_had_of_points_later(
    trained: ganlib.Model, run: Callable[..., Result], tmp_path: Path
) -> None:
    assert trained.grid().tobytes() == scatter(trained.sample(1000)).tobytes()
    expected = scatter(trained.sample(64)).tobytes()
    assert run("sample", trained.out, "-o", "s.png").exit_code == 0
    with Image.open("s.png") as picture:
        assert picture.tobytes() == expected
    assert run("sample", trained.out, "-n", 3, "-o", "s.npz").exit_code == 0
    with np.load("s.npz") as arrays:
        assert arrays["images"].shape == (3, 1, 1, 2)
    assert run("interpolate", trained.out, "-o", "walk.gif", "--frames", 3).exit_code == 0


@pytest.mark.parametrize(
    ("command", "words"), [(("sample", "-o", "many"), "a scatter plot"), (("evaluate",), "points")]
)
def test_what_cannot(
    trained: ganlib.Model, run: Callable[..., Result], command: tuple[str, ...], words: str
) -> None:
    result = run(command[0], trained.out, *command[1:])
    assert isinstance(result.exception, UserError) and words in str(result.exception)
    assert not Path("many").exists()
