"""Scores of points, against a loop over points in NumPy."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlib.common.data import Mixture
from ganlib.common.query import open_dataset
from ganlib.evaluation import Origin, differences
from ganlib.evaluation.metrics.modes import mode_scores, score_points

CENTRES = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def by_loop(points: Tensor, centres: Tensor, std: float) -> dict[str, float]:
    counts, good = [0] * len(centres), [0] * len(centres)
    for x, y in points.tolist():
        distances = [math.hypot(x - a, y - b) for a, b in centres.tolist()]
        k = int(np.argmin(distances))
        counts[k] += 1
        good[k] += distances[k] <= 3 * std
    n, modes = len(points), len(centres)
    kl = sum(c / n * math.log((c / n) / (1 / modes)) for c in counts if c)
    covered = sum(g >= n / modes / 10 for g in good)
    return {"modes": covered, "high_quality": sum(good) / n, "reverse_kl": kl}


@pytest.mark.parametrize("spread", [0.02, 0.1, 0.5])
def test_against_the_loop(spread: float) -> None:
    random = torch.Generator().manual_seed(0)
    index = torch.tensor([0] * 200 + [1] * 90 + [2] * 10)
    points = CENTRES[index] + spread * torch.randn(300, 2, generator=random)
    assert mode_scores(points, CENTRES, 0.05) == pytest.approx(by_loop(points, CENTRES, 0.05))


def test_one_mode_alone() -> None:
    scores = mode_scores(CENTRES[1].repeat(50, 1), CENTRES, 0.1)
    assert scores == pytest.approx({"modes": 1, "high_quality": 1, "reverse_kl": math.log(3)})


def test_a_stray_point_covers_nothing() -> None:
    points = CENTRES[torch.tensor([0] * 270 + [1] * 21 + [2] * 9)]
    assert mode_scores(points, CENTRES, 0.1)["modes"] == 2  # a tenth of the even share is 10
    points = CENTRES[torch.tensor([0] * 270 + [1] * 20 + [2] * 10)]
    assert mode_scores(points, CENTRES, 0.1)["modes"] == 3


def test_the_direction_of_the_divergence() -> None:
    """q = (3/4, 1/4): KL(q || even) is 0.1308, KL(even || q) is 0.1438."""
    points = CENTRES[torch.tensor([0, 0, 0, 1])]
    value = mode_scores(points, CENTRES[:2], 0.1)["reverse_kl"]
    assert value == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert value == pytest.approx(0.13081, abs=1e-5)


@pytest.mark.parametrize(("name", "k"), [("ring8", 8), ("grid25", 25)])
def test_the_data_themselves_are_perfect(name: str, k: int) -> None:
    data = open_dataset(name, split="test")
    assert data.mixture is not None
    batches: Iterator[Tensor] = (data.x[i] / 127.5 - 1 for i in torch.arange(10_000).split(3000))
    scores = score_points(batches, data.mixture, Origin("ema", "running", None, 4))
    assert scores["modes"].value == k
    assert scores["high_quality"].value == pytest.approx(1 - math.exp(-4.5), abs=0.005)
    assert scores["reverse_kl"].value == pytest.approx(0, abs=1e-12)
    protocol = scores["modes"].protocol
    assert (protocol.weights, protocol.seed, protocol.n_generated) == ("ema", 4, 10_000)


def test_the_protocol_tells_mixtures_apart() -> None:
    points = [torch.zeros(2, 2, 1, 1)]
    a = score_points(points, Mixture(CENTRES, 0.1))["modes"].protocol
    b = score_points(points, Mixture(CENTRES, 0.2))["modes"].protocol
    moved = score_points(points, Mixture(CENTRES * 0.9, 0.1))["modes"].protocol
    assert len({a.hash, b.hash, moved.hash}) == 3
    (difference,) = differences(a, moved)
    assert difference.startswith("centres: ")


def test_the_order_and_the_last_bits_of_centres_make_no_other_mixture() -> None:
    points = [torch.zeros(2, 2, 1, 1)]
    a = score_points(points, Mixture(CENTRES, 0.1))["modes"].protocol
    b = score_points(points, Mixture(CENTRES.flip(0) - 1e-9, 0.1))["modes"].protocol
    assert a.hash == b.hash
