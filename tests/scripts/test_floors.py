"""What makes real images worse, and the distances of such."""

from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from ganlib.common.data import DataSet
from ganlib.common.seeds import generator
from ganlib.evaluation import Evaluator
from ganlib.evaluation.extractors.base import Extractor, Features
from ganlib.training.scores.real_images import RealImages
from ganlib.training.scores.scorer import Criteria, Scorer
from scripts import floors


class Corners(Extractor):
    """The four corners of an image."""

    name, digest, n_features, device = "corners", "0" * 64, 4, torch.device("cpu")

    def __call__(self, x: Tensor) -> Features:
        return Features(x[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]].float())


def pictures(n: int) -> Tensor:
    return torch.randint(256, (n, 3, 6, 8), generator=generator(0, "floors", n)).to(torch.uint8)


@pytest.mark.parametrize("side", [3, 7])
def test_a_pixel_becomes_the_mean_around_it(side: int) -> None:
    x, half = pictures(2), side // 2
    found = floors.blurred(x, side)
    padded = np.pad(x.numpy().astype(float), ((0, 0), (0, 0), (half, half), (half, half)), "edge")
    for row in range(6):
        for column in range(8):
            mean = padded[:, :, row : row + side, column : column + side].mean((2, 3))
            assert np.abs(found[:, :, row, column].numpy() - mean).max() <= 0.501


def test_noise_has_its_levels_and_is_the_same_each_time() -> None:
    x = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    found = floors.noisy(x)
    assert torch.equal(found, floors.noisy(x))
    assert found.float().mean() == pytest.approx(128, abs=0.5)
    assert found.float().std() == pytest.approx(floors.LEVELS, rel=0.02)


def test_grey_has_equal_channels_and_the_same_mean() -> None:
    x = pictures(3)
    found = floors.grey(x)
    assert found.shape == x.shape and torch.equal(found[:, 0], found[:, 2])
    assert (found.float().mean(1) - x.float().mean(1)).abs().max() <= 0.5
    assert torch.equal(floors.grey(x[:, :1]), x[:, :1])


def test_a_line_for_each_change(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path))
    real = {"train": DataSet("set", pictures(60)), "test": DataSet("set", pictures(50))}
    asked = []

    def make_scorer(updater: None, images: RealImages, criteria: Criteria) -> Scorer:
        asked.append((images, criteria))
        return Scorer(updater, Evaluator(Corners(), real))

    monkeypatch.setattr(floors, "make_scorer", make_scorer)
    done = CliRunner().invoke(floors.main, ["set", "--extractor", "mine"], catch_exceptions=False)
    lines = done.output.splitlines()
    assert asked == [(RealImages("set"), Criteria(extractor="mine"))]
    assert len(lines) == len(floors.CHANGES)
    assert all(line.startswith("set: FD-corners50-train, test images ") for line in lines)
    plain, *_, black = (float(line.rpartition(" ")[2]) for line in lines)
    x, y = (pictures(n)[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]].double() for n in (60, 50))
    assert black == pytest.approx(float(x.mean(0).square().sum() + x.var(0).sum()), rel=1e-3)
    assert 0 < plain < black and not torch.equal(x.mean(0), y.mean(0))
