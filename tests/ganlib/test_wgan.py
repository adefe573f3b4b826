"""WGAN: what is clipped, how long the critic trains, and what its estimate is an estimate of."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch.optim import Adam, RMSprop

from ganlib.common.data import DataSet, DataSpec
from ganlib.registry import algorithms
from ganlib.wgan.net import build

Make = Callable[..., Any]
QUICK = {"long_first": 0, "long_interval": 0}


@pytest.mark.parametrize(
    ("architecture", "side", "gen_count", "dis_count"),
    [
        ("dcgan", 64, 3_576_704, 2_765_568),
        ("dcgan", 32, 1_068_928, 663_296),  # by hand, from the layers of the authors' dcgan.py
        ("dense", 64, 813_504, 794_881),
    ],
)
def test_parameters(architecture: str, side: int, gen_count: int, dis_count: int) -> None:
    config = algorithms["wgan"].config(architecture=architecture)
    with torch.device("meta"):
        networks = build(config, DataSpec((3, side, side), (3, side, side)))
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
    assert counts == {"gen": gen_count, "dis": dis_count}


@pytest.mark.parametrize("architecture", ["dense", "mlp"])
def test_the_other_architectures_train(architecture: str, make_updater: Make) -> None:
    updater = make_updater("wgan", architecture=architecture, **QUICK)
    observation = updater.update()
    assert observation["w_distance"] == -observation["loss_dis"]
    updater.check_finite()
    unmoved = algorithms["wgan"].unmoved(updater.config)
    assert set(unmoved) <= {name for name, _ in updater.named_parameters()}


def test_points_train(make_updater: Make) -> None:
    points = DataSet("points", torch.randint(256, (32, 2, 1, 1), dtype=torch.uint8))
    updater = make_updater("wgan", data=points, architecture="mlp", **QUICK)
    updater.update()
    updater.check_finite()
    assert next(updater.sample(3, seed=0)).shape == (3, 2, 1, 1)


# --- Clipping


def test_all_parameters_of_the_critic_and_nothing_else_is_clipped(make_updater: Make) -> None:
    settings = {"n_dis": 1, "clip": 0.003, "adam_alpha": 0.01}
    updater = make_updater("wgan", **settings, **QUICK)
    gains = [p for name, p in updater.dis.named_parameters() if p.dim() == 1]
    assert gains and max(p.max().item() for p in gains) > 0.9
    updater.update()
    bound = torch.tensor(0.003).item()
    for name, p in updater.dis.named_parameters():
        assert p.abs().max().item() == bound, name  # it was outside, at least in places
    assert all(p.abs().max() > 0.003 for p in updater.gen.parameters() if p.dim() > 1)
    variances = [b for name, b in updater.dis.named_buffers() if name.endswith("running_var")]
    assert variances and all(v.max() > 0.003 for v in variances)


def test_the_critic_is_clipped_after_every_step(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("wgan", n_dis=3, **QUICK)
    order: list[str] = []
    step, clip = updater.step, updater.clip
    monkeypatch.setattr(updater, "step", lambda **k: (order.append(*k), step(**k)))
    monkeypatch.setattr(updater, "clip", lambda: (order.append("clip"), clip()))
    updater.update()
    assert order == ["dis", "clip"] * 3 + ["gen"]


# --- The long phases and the optimizers


def test_the_authors_schedule() -> None:
    updater = algorithms["wgan"].updater.__new__(algorithms["wgan"].updater)
    torch.nn.Module.__init__(updater)
    updater.config = algorithms["wgan"].config()
    steps = [updater.phase(i) for i in range(1201)]
    long = [i for i, n in enumerate(steps) if n == 100]
    assert long == [*range(25), 500, 1000]
    assert set(steps) == {5, 100}


def test_the_critic_sees_as_many_batches(make_updater: Make) -> None:
    updater = make_updater("wgan", n_dis=2, n_dis_long=7, long_first=1, long_interval=3)
    seen = []
    for _ in range(5):
        before = updater.images
        updater.update()
        seen.append((updater.images - before) // 4)
    assert seen == [7, 2, 2, 7, 2]


def test_rmsprop_is_the_default_and_adam_an_option(make_updater: Make) -> None:
    for name, kind in [("rmsprop", RMSprop), ("adam", Adam)]:
        optimizers = make_updater("wgan", optimizer=name).optimizer
        assert set(optimizers) == {"gen", "dis"}
        assert all(type(o) is kind for o in optimizers.values())
    group = make_updater("wgan").optimizer["dis"].param_groups[0]
    assert (group["lr"], group["alpha"], group["eps"]) == (5e-5, 0.99, 1e-8)
    assert (group["momentum"], group["centered"]) == (0, False)


# --- The estimate, on two Gaussians that are moved apart


def test_the_estimate_is_proportional_to_the_distance(make_updater: Make) -> None:
    """Both lie right of 0, where a ReLU network can be linear: so the best critic is known."""
    random = np.random.default_rng(0)
    x, y = random.normal(1, 0.1, (2, 256))
    points = DataSet("points", torch.zeros(4, 1, 1, 1, dtype=torch.uint8))
    settings = {"architecture": "mlp", "width": 0.5, "clip": 0.1, "adam_alpha": 2e-2, **QUICK}
    line = torch.linspace(0, 7, 2001, dtype=torch.float64).reshape(-1, 1, 1, 1)
    ratios = []
    for distance in (1.0, 2.0, 4.0):
        updater = make_updater("wgan", data=points, dtype=torch.float64, **settings)
        moved, fixed = (torch.from_numpy(a).reshape(-1, 1, 1, 1) for a in (x + distance, y))
        for _ in range(100):
            updater.step(dis=updater.loss_dis(moved, fixed))
            updater.clip()
        estimate = -updater.loss_dis(moved, fixed).item()
        with torch.no_grad():
            slope = (updater.dis(line).diff(dim=0).abs().max() / (7 / 2000)).item()
        exact = wasserstein_distance(x + distance, y)
        assert 0.99 * exact < estimate / slope <= exact * (1 + 1e-9)
        ratios.append(estimate / exact)
    assert max(ratios) / min(ratios) < 1.1
