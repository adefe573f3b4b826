"""common/layers/init.py: distributions by their moments and bounds."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from scipy.stats import kstest, truncnorm
from torch import Tensor, nn

from ganlib.common.layers.init import (
    init_gains,
    init_glorot_uniform,
    init_he_uniform,
    init_lecun_normal,
    init_normal,
    init_orthogonal,
    init_truncated_normal,
    init_uniform,
)

CONV, DECONV, LINEAR = (
    nn.Conv2d(32, 48, 5, 2),
    nn.ConvTranspose2d(32, 48, 5, 2),
    nn.Linear(320, 480),
)
NORMAL = [
    (lambda m: init_normal(m, 0.02), CONV, 0.02),
    (lambda m: init_normal(m, 0.02), LINEAR, 0.02),
    (init_lecun_normal, CONV, (1 / (32 * 25)) ** 0.5),
    (init_lecun_normal, LINEAR, (1 / 320) ** 0.5),
    (init_lecun_normal, DECONV, (1 / (48 * 25)) ** 0.5),
]
UNIFORM = [
    (lambda m: init_uniform(m, 0.05), LINEAR, 0.05 / 3**0.5),
    (init_glorot_uniform, CONV, (2 / (80 * 25)) ** 0.5),
    (init_glorot_uniform, DECONV, (2 / (80 * 25)) ** 0.5),
    (lambda m: init_glorot_uniform(m, 2.0), LINEAR, 2 * (2 / 800) ** 0.5),
    (init_he_uniform, CONV, (4 / (32 * 25 + 48 * 25 / 4)) ** 0.5),
    (init_he_uniform, DECONV, (4 / (32 * 25 / 4 + 48 * 25)) ** 0.5),
    (init_he_uniform, LINEAR, (4 / 800) ** 0.5),
]
Init = Callable[[nn.Module], None]


def filled(init: Init, layer: nn.Module) -> Tensor:
    torch.manual_seed(0)
    layer = nn.Sequential(deepcopy(layer), nn.BatchNorm2d(3))
    init(layer)
    assert not layer[0].bias.any()
    assert (layer[1].weight == 1).all()
    return layer[0].weight.detach()


@pytest.mark.parametrize(("init", "layer", "std"), NORMAL)
def test_normal_initialisers(init: Init, layer: nn.Module, std: float) -> None:
    weight = filled(init, layer)
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    assert (weight.abs() > 2 * std).float().mean().item() == pytest.approx(0.0455, abs=0.005)


@pytest.mark.parametrize(("init", "layer", "std"), UNIFORM)
def test_uniform_initialisers(init: Init, layer: nn.Module, std: float) -> None:
    weight = filled(init, layer)
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    assert weight.abs().max().item() == pytest.approx(3**0.5 * std, rel=1e-3)


@pytest.mark.parametrize("layer", [CONV, DECONV, LINEAR])
def test_truncated_normal(layer: nn.Module) -> None:
    """Moments and distribution are SciPy's, cut at two deviations of the whole normal."""
    weight = filled(lambda m: init_truncated_normal(m, 0.02), layer).double().flatten()
    expected = truncnorm(-2, 2, scale=0.02)
    n = len(weight)
    for order in (1, 2, 3, 4):
        moment, spread = expected.moment(order), (expected.moment(2 * order) / n) ** 0.5
        assert weight.pow(order).mean().item() == pytest.approx(moment, abs=4 * spread)
    assert kstest(weight.numpy(), expected.cdf).pvalue > 0.01
    assert 0.0399 < weight.abs().max().item() <= 0.04 * (1 + 1e-6)


@pytest.mark.parametrize("layer", [CONV, DECONV, LINEAR, nn.Linear(9, 4)])
def test_orthogonal_weights(layer: nn.Module) -> None:
    w = filled(init_orthogonal, layer).flatten(1)
    w = w if len(w) <= w.shape[1] else w.mT
    torch.testing.assert_close(w @ w.mT, torch.eye(len(w)), rtol=0, atol=1e-5)


def test_orthogonal_vectors_of_classes() -> None:
    embedding = nn.Embedding(5, 8)
    init_orthogonal(embedding)
    torch.testing.assert_close(embedding.weight @ embedding.weight.T, torch.eye(5))


def test_gains_are_around_one_and_biases_stay() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(4000), nn.BatchNorm1d(2, affine=False))
    init_gains(net, 0.02)
    gains = net[1].weight.detach()
    assert kstest(gains.numpy(), "norm", (1, 0.02)).pvalue > 0.01
    assert not net[1].bias.any()
