"""Cramer GAN: its losses against SciPy's energy distance, its penalty against autograd."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance
from torch import Tensor, nn

from ganlib.common.data import DataSet, DataSpec
from ganlib.cramer.net import build
from ganlib.registry import algorithms

Make = Callable[..., Any]


@pytest.mark.parametrize(("output_dim", "dis_count"), [(256, 7_950_080), (1, 5_860_865)])
def test_parameters(output_dim: int, dis_count: int) -> None:
    config = algorithms["cramer"].config(output_dim=output_dim)
    with torch.device("meta"):
        networks = build(config, DataSpec((3, 32, 32), (3, 32, 32)))
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
    assert counts == {"gen": 3_828_739, "dis": dis_count}


def test_points_train(make_updater: Make) -> None:
    points = DataSet("points", torch.randint(256, (32, 2, 1, 1), dtype=torch.uint8))
    updater = make_updater("cramer", data=points, architecture="mlp", output_dim=7)
    updater.update()
    updater.check_finite()
    assert updater.dis(torch.zeros(3, 2, 1, 1)).shape == (3, 7)


# --- The generator's loss


class Itself(nn.Module):
    """A generator or a critic that changes nothing: z is the image and its features."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return x


def test_over_all_pairs_it_is_scipys_energy_distance_squared(make_updater: Make) -> None:
    random = np.random.default_rng(0)
    x, fake = random.normal(0, 1, 7), random.normal(1, 2, 9)
    i, j, k = np.meshgrid(np.arange(7), np.arange(9), np.arange(9), indexing="ij")
    rows = [torch.from_numpy(a.reshape(-1, 1)) for a in (x[i], fake[j], fake[k])]
    updater = make_updater("cramer", dtype=torch.float64)
    updater.gen = updater.dis = Itself()
    without = np.abs(x[:, None] - x).mean()
    found = updater.loss_gen(*rows).item() - without
    assert found == pytest.approx(energy_distance(x, fake) ** 2, abs=1e-12)


# --- The critic's loss


class Features(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2 = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        h: Tensor = self.l2(torch.tanh(self.l1(x.flatten(1))))
        return h


@pytest.fixture
def updater(make_updater: Make) -> Any:
    made = make_updater("cramer", dtype=torch.float64)
    torch.manual_seed(0)
    made.dis = Features().double()
    return made


def batch() -> list[Tensor]:
    """x, x~, x~', eps."""
    torch.manual_seed(1)
    images = [torch.randn(6, 1, 2, 2, dtype=torch.float64) for _ in range(3)]
    return [*images, torch.rand(6, 1, 1, 1, dtype=torch.float64)]


def test_the_surrogate_by_hand(updater: Any) -> None:
    x_real, x_fake, x_other, eps = batch()
    with torch.no_grad():
        h, h_fake, h_other = (updater.dis(x).numpy() for x in (x_real, x_fake, x_other))

    def f(a: np.ndarray) -> np.ndarray:
        return np.diag(cdist(a, h_other)) - cdist(a, np.zeros((1, 3)))[:, 0]

    loss, _ = updater.loss_dis(x_real, x_fake, x_other, eps)
    assert loss.item() == pytest.approx(-(f(h) - f(h_fake)).mean(), rel=1e-12)


def penalty_by_autograd(updater: Any) -> Tensor:
    x_real, x_fake, x_other, eps = batch()
    x = (eps * x_real + (1 - eps) * x_fake).requires_grad_()
    h, h_other = updater.dis(x), updater.dis(x_other)
    f = (h - h_other).square().sum(1).sqrt() - h.square().sum(1).sqrt()
    (slope,) = torch.autograd.grad(f.sum(), x, create_graph=True)
    return ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()


def test_the_penalty_and_its_gradient_are_exact(updater: Any) -> None:
    """Upstream drops what moves with h(x^) and h(x~'); here nothing is dropped."""
    parameters = list(updater.dis.parameters())
    _, ours = updater.loss_dis(*batch())
    theirs = penalty_by_autograd(updater)
    torch.testing.assert_close(ours, theirs)
    found = torch.autograd.grad(ours, parameters, allow_unused=True)
    torch.testing.assert_close(found, torch.autograd.grad(theirs, parameters, allow_unused=True))
    weight = updater.dis.l2.weight
    for index in [(0, 0), (1, 3), (2, 4)]:
        values = []
        for h in (1e-5, -1e-5):
            with torch.no_grad():
                weight[index] += h
                values.append(updater.loss_dis(*batch())[1].item())
                weight[index] -= h
        slope = (values[0] - values[1]) / 2e-5
        assert found[2][index].item() == pytest.approx(slope, rel=1e-6)


def test_features_that_coincide_give_no_nan(updater: Any) -> None:
    x_real, x_fake, _, eps = batch()
    loss, penalty = updater.loss_dis(x_real, x_real, x_real, eps)  # h(x^) = h(x~') as well
    everything = list(updater.dis.parameters())
    for value in (loss, penalty):
        gradients = torch.autograd.grad(value, everything, allow_unused=True, retain_graph=True)
        assert all(g is None or g.isfinite().all() for g in gradients)
    updater.gen = Itself()
    z = x_fake.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(updater.loss_gen(x_fake, z, z), z)
    assert gradient.isfinite().all()


def test_features_of_zero_give_no_nan(updater: Any) -> None:
    nn.init.zeros_(updater.dis.l2.weight)
    nn.init.zeros_(updater.dis.l2.bias)
    loss, penalty = updater.loss_dis(*batch())
    gradients = torch.autograd.grad(
        loss + penalty, list(updater.dis.parameters()), allow_unused=True
    )
    assert all(g is None or g.isfinite().all() for g in gradients)
