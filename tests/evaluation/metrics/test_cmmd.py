"""The distance of kernel means, against NumPy."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganlib.evaluation import Evaluator
from ganlib.evaluation.metrics import cmmd
from ganlib.evaluation.metrics.base import all_metrics
from ganlib.evaluation.metrics.formulas import ROWS


def by_numpy(x: NDArray[Any], y: NDArray[Any]) -> float:
    def mean(a: NDArray[Any], b: NDArray[Any]) -> Any:
        return np.mean(np.exp(-((a[:, None] - b[None]) ** 2).sum(2) / 200))

    return float(1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y)))


def test_it_is_the_papers(plain: Any, noise: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = noise[: ROWS + 100], noise[ROWS + 100 :]
    real = real // 2
    evaluator = Evaluator(plain, {"train": real, "test": fake})
    (found,) = evaluator([fake], ["cmmd"]).scores.values()
    x, y = (plain(part).pool.double().numpy() for part in (fake, real))
    assert found.value == pytest.approx(by_numpy(x, y), rel=1e-9)
    assert (found.name, found.better) == ("MMD-plain1100-train", "lower")
    expected = {"compared": 400, "sigma": 10, "scale": 1000, "metric": "cmmd"}
    assert dict(found.protocol.settings) == expected
    assert all_metrics(evaluator.inputs()).count("cmmd") == 0
    monkeypatch.setattr(plain, "name", "clip")
    assert all_metrics(evaluator.inputs()).count("cmmd") == 1
    (same,) = evaluator([real], ["cmmd"]).scores.values()
    assert same.name == "CMMD400-train" and same.value == pytest.approx(0, abs=1e-9)


def test_of_unit_vectors_it_is_ten_times_the_distance_of_the_means() -> None:
    """To first order in |x - y|^2 / 200."""
    x, y = torch.randn(2, 300, 768, generator=torch.Generator().manual_seed(0))
    x, y = (v / v.norm(dim=1, keepdim=True) for v in (x, y + 0.05))
    found = cmmd.SCALE * (
        cmmd.mean_kernel(x, x) + cmmd.mean_kernel(y, y) - 2 * cmmd.mean_kernel(x, y)
    )
    gap = float((x.double().mean(0) - y.double().mean(0)).square().sum())
    assert found == pytest.approx(10 * gap, rel=0.02)
