"""Distances that are no Gaussians' or no finite sample's, against integrals and exact values."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlib.common.errors import UserError
from ganlib.evaluation import Evaluator
from ganlib.evaluation.metrics.fid_infinity import extrapolated, sizes
from ganlib.evaluation.metrics.mind import mind


def normal(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_mind_is_the_mean_over_the_circle() -> None:
    """3 D times it, by NumPy at even angles."""
    x, y = normal(300, 2), 1.5 * normal(300, 2, seed=1) + 1
    angles = np.linspace(0, np.pi, 4000, endpoint=False)
    u = np.stack([np.cos(angles), np.sin(angles)])
    gaps = np.sort(x.double().numpy() @ u, 0) - np.sort(y.double().numpy() @ u, 0)
    assert mind(x, y, directions=3000) == pytest.approx(6 * np.mean(gaps**2), rel=0.03)


def test_mind_of_isotropic_gaussians_is_three_frechet_distances() -> None:
    x, y, d = normal(2000, 8), 2 * normal(2000, 8, seed=1) + 0.5, 8
    frechet = d * 0.5**2 + d * (2 - 1) ** 2
    assert mind(x, y, 100) == pytest.approx(3 * frechet, rel=0.05)
    assert mind(x, x, 9) == 0


def test_mind_takes_equal_numbers(plain: Any, noise: Tensor) -> None:
    evaluator = Evaluator(plain, {"train": noise[:400]})
    (found,) = evaluator([noise[400:]], ["mind"]).scores.values()
    assert found.name == "MIND-plain1100-train" and found.better == "lower"
    assert dict(found.protocol.settings).items() >= {"compared": 400, "directions": 1000}.items()
    (few,) = evaluator([noise[400:600]], ["mind"]).scores.values()
    assert few.protocol.settings["compared"] == 200


def test_sizes_are_those_of_the_paper_and_of_smaller_sets() -> None:
    assert sizes(50_000) == [int(5000 + k * 45_000 / 14) for k in range(15)]
    assert (sizes(2000)[0], sizes(2000)[-1], len(sizes(2000))) == (200, 2000, 15)
    assert sizes(12)[0] == 2


def test_the_limit_of_a_line_in_1_over_n() -> None:
    counts = sizes(2000)
    assert extrapolated(counts, [0.7 + 35 / n for n in counts]) == pytest.approx(0.7)


@pytest.mark.filterwarnings("ignore:.* too few")
def test_the_limit_is_nearer_to_the_distance_of_the_distributions(plain: Any) -> None:
    """Of samples of one distribution, whose distance is 0, the distance of N of them is not."""
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (20_000, 1, 8, 8), generator=random).to(torch.uint8)
    evaluator = Evaluator(plain, {"train": x[:18_000]})
    scores = evaluator([x[18_000:]], ["fid", "fid_infinity"]).scores
    assert list(scores) == ["FD-plain2k-train", "FD-plain-infinity2k-train"]
    finite, limit = (score.value for score in scores.values())
    assert abs(limit) < finite
    assert scores["FD-plain-infinity2k-train"].better == "lower"
    # by NumPy, of the same order
    from ganlib.common.seeds import generator

    order = torch.randperm(2000, generator=generator(0, "fid_infinity", 2000))
    features = plain(x).pool.double().numpy()
    real, fake = features[:18_000], features[18_000:][order.numpy()]

    def frechet(a: Any, b: Any) -> float:
        c, d = (np.cov(v, rowvar=False) for v in (a, b))
        root = np.sqrt(np.linalg.eigvals(c @ d).real).sum()
        return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c) + np.trace(d) - 2 * root)

    counts = np.linspace(200, 2000, 15).astype(int)
    line = np.stack([np.ones(15), 1 / counts], 1)
    expected, *_ = np.linalg.lstsq(line, [frechet(fake[:n], real) for n in counts], rcond=None)
    assert limit == pytest.approx(expected[0], abs=1e-8)


@pytest.mark.filterwarnings("ignore:.* too few")
def test_the_limit_says_of_each_reference_whether_it_is_too_small(
    plain: Any, noise: Tensor
) -> None:
    evaluator = Evaluator(plain, {"train": noise, "test": noise[: plain.n_features]})
    x = torch.randint(0, 256, (1000, *noise.shape[1:])).to(torch.uint8)
    few = [s.protocol.rank_deficient for s in evaluator([x], ["fid_infinity"]).scores.values()]
    assert few == [False, True]


def test_likelihoods_take_both_splits(plain: Any, noise: Tensor) -> None:
    with pytest.raises(UserError, match="'fld' takes training images and test images"):
        Evaluator(plain, {"train": noise})([noise], ["fld"])
