"""Each score against another program's, or against its definition in plain loops."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from ganlib.evaluation.metrics import formulas as scores
from ganlib.evaluation.statistics.moments import Moments


def features(n: int, d: int = 64, seed: int = 0, shift: float = 0.0) -> Tensor:
    """Correlated float32 features, as pooled ReLUs are: not negative, some often zero."""
    random = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=torch.Generator().manual_seed(99)) / d**0.5
    return (torch.randn(n, d, generator=random) @ mix + shift).relu()


def frechet(a: Tensor, b: Tensor) -> float:
    moments = Moments(a.shape[1]), Moments(b.shape[1])
    for m, x in zip(moments, (a, b), strict=True):
        m.update(x)
    first, second = ((m.mean(), m.covariance()) for m in moments)
    return scores.frechet_distance(*first, *second)


def test_frechet_distance_is_torch_fidelitys() -> None:
    a, b = features(2500), features(2100, seed=1, shift=0.1)
    statistics = [fid_features_to_statistics(x) for x in (a, b)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    scale = sum(np.trace(s["sigma"]) for s in statistics)
    assert expected > 0.1
    assert abs(frechet(a, b) - expected) < 1e-6 * scale


def test_frechet_distance_is_that_of_scipys_root() -> None:
    a, b = features(1500, 32).double(), features(1500, 32, seed=1, shift=0.2).double()
    covariances = [np.cov(x.numpy(), rowvar=False) for x in (a, b)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        root = linalg.sqrtm(covariances[0] @ covariances[1])
    gap = float((a.mean(0) - b.mean(0)).square().sum())
    expected = gap + sum(np.trace(c) for c in covariances) - 2 * np.trace(root).real
    assert frechet(a, b) == pytest.approx(expected, abs=1e-10)
    known = torch.from_numpy(linalg.sqrtm(covariances[1]).real)
    torch.testing.assert_close(scores.square_root(torch.from_numpy(covariances[1])), known)
    own, theirs = map(torch.from_numpy, covariances)
    found = scores.frechet_distance(a.mean(0), own, b.mean(0), theirs, known)
    assert found == pytest.approx(expected, abs=1e-10)


def test_frechet_distance_of_a_set_to_itself_is_nothing() -> None:
    a = features(50)  # fewer than there are features
    assert 0 <= frechet(a, a) < 1e-6
    assert frechet(a, features(50, seed=1)) > 0.1


def test_frechet_distance_of_gaussians_is_known() -> None:
    mean, eye = torch.zeros(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    assert scores.frechet_distance(mean, eye, mean + 2, 9 * eye) == pytest.approx(16 + 4 * 4)


@pytest.mark.parametrize(("n", "splits"), [(2000, 10), (2003, 10), (7, 3)])
def test_inception_score_is_torch_fidelitys(n: int, splits: int) -> None:
    logits = 3 * torch.randn(n, 20, generator=torch.Generator().manual_seed(0))
    expected = isc_features_to_metric(logits, splits, shuffle=False)
    mean, std = scores.inception_score(logits, splits)
    assert mean == pytest.approx(expected["inception_score_mean"], abs=1e-10)
    assert std == pytest.approx(expected["inception_score_std"], abs=1e-10)


def test_inception_score_of_certain_classes_is_their_number() -> None:
    logits = 2000 * torch.eye(10).repeat(10, 1)
    assert scores.inception_score(logits, 1)[0] == pytest.approx(10)


def test_kid_is_torch_fidelitys_on_the_same_subsets() -> None:
    fake, real = features(2000), features(2500, seed=1, shift=0.02)
    expected = kid_features_to_metric(
        fake.double(), real.double(), kid_subsets=5, kid_subset_size=1000, verbose=False
    )
    mean, std = scores.kid(fake, real, 5, 1000, 2020)
    assert mean == pytest.approx(expected["kernel_inception_distance_mean"], abs=1e-10)
    assert std == pytest.approx(expected["kernel_inception_distance_std"], abs=1e-10)


def test_kid_is_its_definition() -> None:
    fake, real = features(9, 4).double(), features(9, 4, seed=1).double()

    def kernel(x: Tensor, y: Tensor) -> float:
        dot = 0.0
        for i in range(4):
            dot += float(x[i] * y[i])
        return (dot / 4 + 1) ** 3

    expected = 0.0
    for i in range(9):
        for j in range(9):
            if i != j:
                expected += (kernel(fake[i], fake[j]) + kernel(real[i], real[j])) / (9 * 8)
            expected -= 2 * kernel(fake[i], real[j]) / 81
    assert scores.kid(fake, real, 3, 9, 0)[0] == pytest.approx(expected, abs=1e-12)


def test_precision_and_recall_are_torch_fidelitys() -> None:
    fake, real = features(2000), features(2100, seed=1, shift=0.05)
    expected = prc_features_to_metric(
        fake.double(), real.double(), prc_neighborhood=3, verbose=False, save_cpu_ram=False
    )
    precision, recall = scores.precision_recall(real, fake, 3)
    assert 0.1 < precision < 0.99 and 0.1 < recall < 0.99
    assert precision == pytest.approx(expected["precision"], abs=1e-6)
    assert recall == pytest.approx(expected["recall"], abs=1e-6)


@pytest.mark.parametrize("rows", [7, 1000])
def test_neighbourhoods_are_their_definitions(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "ROWS", rows)
    real, fake = features(60, 6), features(45, 6, seed=1, shift=0.3)
    r, f = real.double().numpy(), fake.double().numpy()

    def gaps(a: Any, b: Any) -> Any:
        return np.linalg.norm(a[:, None] - b[None], axis=2)

    def radii(x: Any, k: int) -> Any:
        return np.sort(gaps(x, x), axis=1)[:, k]

    expected = (
        (gaps(f, r) <= radii(r, 3)).any(1).mean(),
        (gaps(r, f) <= radii(f, 3)).any(1).mean(),
        (gaps(f, r) < radii(r, 5)).sum() / (5 * len(f)),
        (gaps(r, f) < radii(r, 5)[:, None]).any(1).mean(),
    )
    found = scores.precision_recall(real, fake, 3) + scores.density_coverage(real, fake, 5)
    assert found == pytest.approx(expected)
    assert 0 < min(found)


def test_nearest_finds_the_nearest() -> None:
    points, others = features(1100, 6), features(70, 6, seed=1)
    gaps = np.linalg.norm(points.double().numpy()[:, None] - others.double().numpy()[None], axis=2)
    distance, which = scores.nearest(points, others)
    np.testing.assert_allclose(distance, gaps.min(1), rtol=1e-6)
    assert (which.numpy() == gaps.argmin(1)).mean() > 0.99


def test_nearest_of_the_same_images_is_another_one() -> None:
    x = features(1100, 6)
    distance, which = scores.nearest(x[:1050], x, own=torch.arange(1050))
    assert (which != torch.arange(1050)).all()
    assert distance.min() > 0


def test_copies_show_as_duplicates() -> None:
    train, test = features(3000), features(1000, seed=1)
    unseen = scores.nearest(test, train).distance
    new = scores.nearest(features(1000, seed=2), train).distance
    share, median, _ = scores.duplicates(new, unseen)
    assert share < 0.03 and median == pytest.approx(1, abs=0.05)
    half = torch.cat([train[:500], features(500, seed=2)])
    share, _, least = scores.duplicates(scores.nearest(half, train).distance, unseen)
    assert share >= 0.5 and least == 0
