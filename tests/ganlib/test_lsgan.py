"""LSGAN: its networks, and what its optimal discriminator and its generator's loss are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from common.data import DataSpec
from ganlib.lsgan.net import build
from ganlib.registry import algorithms

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("architecture", "side", "gen_count", "dis_count"),
    [("cifar", 32, 4_853_632, 2_759_425), ("lsun", 112, 15_591_427, 4_333_441)],
)
def test_parameters(architecture: str, side: int, gen_count: int, dis_count: int) -> None:
    config = algorithms["lsgan"].config(architecture=architecture)
    assert architecture != "lsun" or config.image_size(32, 32) == (side, side)
    with torch.device("meta"):
        networks = build(config, DataSpec((3, side, side), (3, side, side)))
        images = networks["gen"](networks["gen"].make_hidden(2))
        assert images.shape == (2, 3, side, side) and networks["dis"](images).shape == (2, 1)
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
    assert counts == {"gen": gen_count, "dis": dis_count}
    assert (networks["gen"].n_hidden, networks["gen"].latent) == (1024, "uniform")


@pytest.mark.parametrize(("architecture", "channels", "side"), [("lsun", 1, 28), ("mlp", 3, 32)])
def test_the_other_architectures_train(
    architecture: str, channels: int, side: int, make_updater: Make
) -> None:
    updater = make_updater("lsgan", channels, side, architecture=architecture, width=0.05)
    updater.update()
    updater.check_finite()
    assert next(updater.sample(2, seed=0)).shape == (2, channels, side, side)


def test_the_networks_for_32_pixels_start_as_chainers() -> None:
    config = algorithms["lsgan"].config()
    torch.manual_seed(0)
    networks = build(config, DataSpec((3, 32, 32), (3, 32, 32)))
    deconv = next(m for m in networks["gen"].modules() if isinstance(m, nn.ConvTranspose2d))
    conv = [m for m in networks["dis"].modules() if isinstance(m, nn.Conv2d)][1]
    assert deconv.weight.shape == (1024, 256, 4, 4) and conv.weight.shape == (128, 64, 4, 4)
    # Chainer's LeCunNormal counts the second axis as input, for both kinds of layers.
    assert deconv.weight.std().item() == pytest.approx((256 * 16) ** -0.5, rel=0.01)
    assert conv.weight.std().item() == pytest.approx((64 * 16) ** -0.5, rel=0.01)
    norms = [m for net in networks.values() for m in net.modules() if hasattr(m, "running_var")]
    assert len(norms) == 6 and all(m.eps == 2e-5 for m in norms)


# --- On a space of four states, where D is a table of four numbers

REAL, FAKE = np.array([4, 3, 2, 1]), np.array([1, 1, 2, 6])  # how often each state occurs
P_REAL, P_FAKE = REAL / REAL.sum(), FAKE / FAKE.sum()


class Table(nn.Module):
    def __init__(self, values: np.ndarray) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.as_tensor(values, dtype=torch.float64))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.values[x][:, None]


def states(counts: np.ndarray) -> Tensor:
    return torch.arange(4).repeat_interleave(torch.from_numpy(counts))


def with_table(updater: Any, values: np.ndarray) -> Any:
    updater.dis, updater.gen = Table(values), nn.Identity()
    return updater


@pytest.mark.parametrize(("a", "b", "c"), [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), (0.3, 2.0, 0.7)])
def test_the_discriminators_minimum_is_the_papers(
    a: float, b: float, c: float, make_updater: Make
) -> None:
    best = (b * P_REAL + a * P_FAKE) / (P_REAL + P_FAKE)
    updater = with_table(make_updater("lsgan", a=a, b=b, c=c), best)
    loss = updater.loss_dis(states(REAL), states(FAKE))
    (gradient,) = torch.autograd.grad(loss, updater.dis.values)
    torch.testing.assert_close(gradient, torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)
    expected = (P_REAL * (best - b) ** 2).sum() / 2 + (P_FAKE * (best - a) ** 2).sum() / 2
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_with_minus_one_one_zero_the_generator_descends_pearsons_divergence(
    make_updater: Make,
) -> None:
    """Against the best D, loss_gen and its like for real images are half of chi^2(p + q || 2 q)."""
    best = (P_REAL - P_FAKE) / (P_REAL + P_FAKE)
    updater = with_table(make_updater("lsgan", a=-1, b=1, c=0), best)
    both = updater.loss_gen(states(FAKE)) + updater.loss_gen(states(REAL))
    total = P_REAL + P_FAKE
    pearson = ((2 * P_FAKE - total) ** 2 / total).sum()
    assert both.item() == pytest.approx(pearson / 2, rel=1e-12)


def test_the_labels_of_the_default() -> None:
    config = algorithms["lsgan"].config()
    assert (config.a, config.b, config.c) == (0, 1, 1)
