"""ring8 and grid25: points whose modes are known."""

import math

import numpy as np
import pytest
import torch

from ganlib.common.data import POINTS, DataSet
from ganlib.common.errors import UserError
from ganlib.common.query import open_dataset

LEVEL = 1 / 127.5


def points(data: DataSet) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    assert isinstance(data.x, torch.Tensor)
    return data.x.numpy().reshape(-1, 2).astype(float) * LEVEL - 1


@pytest.mark.parametrize(("name", "k"), [("ring8", 8), ("grid25", 25)])
@pytest.mark.parametrize(("split", "n"), [("train", 50_000), ("test", 10_000)])
def test_points_are_gaussian_around_the_centres_of_their_labels(
    name: str, k: int, split: str, n: int
) -> None:
    data = open_dataset(name, split=split)
    assert data.shape == POINTS and len(data) == n and data.x[torch.arange(3)].dtype == torch.uint8
    assert data.y is not None and data.mixture is not None and len(data.classes) == k
    assert torch.bincount(data.y).tolist() == [n // k] * k
    centres, std = data.mixture.centres.numpy(), data.mixture.std
    deviation = points(data) - centres[data.y.numpy()]
    expected = math.sqrt(std**2 + LEVEL**2 / 12)  # rounding adds the variance of a uniform
    for mode in range(k):
        own = deviation[data.y.numpy() == mode]
        error = expected / math.sqrt(len(own))
        assert np.abs(own.mean(0)).max() < 5 * error
        assert np.abs(own.std(0) - expected).max() < 4 * error
    near = np.hypot(*deviation.T) <= 3 * std
    assert near.mean() == pytest.approx(1 - math.exp(-4.5), abs=0.005)


def test_ring8_lies_on_a_circle() -> None:
    centres = open_dataset("ring8").mixture.centres  # type: ignore[union-attr]
    steps = [complex(*c) / complex(*centres[0]) for c in centres.tolist()]
    np.testing.assert_allclose(steps, [np.exp(2j * np.pi * k / 8) for k in range(8)], atol=1e-12)
    assert math.hypot(*centres[0].tolist()) == pytest.approx(0.7)


def test_grid25_lies_on_a_grid() -> None:
    centres = open_dataset("grid25").mixture.centres  # type: ignore[union-attr]
    places = [-0.7, -0.35, 0, 0.35, 0.7]
    expected = [[x, y] for x in places for y in places]
    np.testing.assert_allclose(centres.numpy(), expected, atol=1e-12)


def test_the_points_are_always_the_same_and_the_splits_differ() -> None:
    a, b, test = open_dataset("ring8"), open_dataset("ring8"), open_dataset("ring8", split="test")
    assert np.array_equal(points(a), points(b))
    assert not np.array_equal(points(a)[:10_000], points(test))
    assert not np.array_equal(points(a)[:1], points(open_dataset("grid25"))[:1])


def test_points_have_no_size() -> None:
    with pytest.raises(UserError, match="leave --size out"):
        open_dataset("ring8", size=32)
