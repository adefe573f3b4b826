"""DRAGAN: where its slope is taken, in three readings, and that it is the logit's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganlib.common.data import DataSet, DataSpec
from ganlib.dragan.net import build
from ganlib.registry import algorithms

Make = Callable[..., Any]
READINGS = ["elementwise", "scalar", "gaussian"]


def test_parameters() -> None:
    with torch.device("meta"):
        networks = build(algorithms["dragan"].config(), DataSpec((3, 32, 32), (3, 32, 32)))
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
    assert counts == {"gen": 3_828_739, "dis": 5_860_865}
    assert not any(isinstance(m, nn.BatchNorm2d) for m in networks["dis"].modules())


@pytest.fixture
def x_real() -> Tensor:
    """Pixels of different spread, in a batch of 16."""
    torch.manual_seed(0)
    spread = torch.tensor([0.1, 0.5, 1.0, 2.0]).reshape(1, 1, 2, 2)
    return torch.randn(16, 1, 2, 2, dtype=torch.float64) * spread


def shifts(updater: Any, x: Tensor, n: int = 20_000) -> np.ndarray:
    """What n draws add to the batch: (n, *x.shape)."""
    torch.manual_seed(1)
    return torch.stack([updater.near(x) - x for _ in range(n)]).numpy()


def check_moments(found: np.ndarray, mean: np.ndarray, var: np.ndarray) -> None:
    """Each of the cells of `found` (draws first) within 5 standard errors."""
    n = len(found)
    assert (abs(found.mean(0) - mean) < 5 * np.sqrt(var / n)).all()
    np.testing.assert_allclose(found.var(0), np.broadcast_to(var, found.shape[1:]), rtol=0.06)


def test_elementwise(x_real: Tensor, make_updater: Make) -> None:
    found = shifts(make_updater("dragan", dtype=torch.float64), x_real)
    std = x_real.numpy().std(0)  # NumPy divides by n
    check_moments(found, 0.5 * std / 2 + 0 * x_real.numpy(), (0.5 * std) ** 2 / 12)
    assert (found >= 0).all() and (found <= 0.5 * std).all()
    assert found.max(0) == pytest.approx(np.broadcast_to(0.5 * std, x_real.shape), rel=0.01)


def test_scalar(x_real: Tensor, make_updater: Make) -> None:
    updater = make_updater("dragan", perturbation="scalar", dtype=torch.float64)
    found = shifts(updater, x_real)
    std = x_real.numpy().std()
    product = 1 / 9 - 1 / 16  # the variance of that of two uniform numbers, whose mean is 1/4
    check_moments(found, np.full(x_real.shape, std / 8), np.array((std / 2) ** 2 * product))
    assert (found >= 0).all() and (found <= 0.5 * std).all()
    # alpha is one number for a sample: its shifts go together, those of two samples do not
    a, b, other = found[:, 0, 0, 0, 0], found[:, 0, 0, 1, 1], found[:, 1, 0, 0, 0]
    shared = (1 / 12 / 4) / product  # var(alpha) E(u)^2 / var(alpha u)
    assert np.corrcoef(a, b)[0, 1] == pytest.approx(shared, abs=0.03)
    assert np.corrcoef(a, other)[0, 1] == pytest.approx(0, abs=0.03)


def test_gaussian(x_real: Tensor, make_updater: Make) -> None:
    updater = make_updater("dragan", perturbation="gaussian", c=40.0, dtype=torch.float64)
    found = shifts(updater, x_real)
    check_moments(found, np.zeros(x_real.shape), np.array(40 / 127.5**2))
    assert (found < 0).mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("perturbation", READINGS)
def test_they_train(perturbation: str, make_updater: Make) -> None:
    points = DataSet("points", torch.randint(256, (32, 2, 1, 1), dtype=torch.uint8))
    settings = {"perturbation": perturbation, "architecture": "mlp"}
    updater = make_updater("dragan", data=points, **settings)
    updater.update()
    updater.check_finite()


class Smooth(nn.Module):
    """A discriminator with a slope everywhere that is not the same everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2 = nn.Linear(4, 5), nn.Linear(5, 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.l2(torch.tanh(self.l1(x.flatten(1))))
        return logits


@pytest.mark.parametrize("perturbation", READINGS)
def test_the_penalty_is_the_logits_by_finite_differences(
    perturbation: str, x_real: Tensor, make_updater: Make
) -> None:
    updater = make_updater("dragan", perturbation=perturbation, dtype=torch.float64)
    torch.manual_seed(0)
    updater.dis = Smooth().double()
    x_near = updater.near(x_real)
    loss, penalty, _ = updater.loss_dis(x_real, -x_real, x_near)
    slopes = torch.empty_like(x_near.flatten(1))
    with torch.no_grad():
        y_real, y_fake = updater.dis(x_real).numpy(), updater.dis(-x_real).numpy()
        for k in range(4):
            h = torch.zeros(4, dtype=torch.float64)
            h[k] = 1e-5
            h = h.reshape(1, 1, 2, 2)
            slopes[:, k] = (updater.dis(x_near + h) - updater.dis(x_near - h)).flatten() / 2e-5
    expected = ((slopes.norm(dim=1) - 1) ** 2).mean()
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-7)
    plain = np.log1p(np.exp(-y_real)).mean() + np.log1p(np.exp(y_fake)).mean()
    assert loss.item() == pytest.approx(plain, rel=1e-12)
