"""LSGAN: its networks, and what its optimal discriminator and its generator's loss are."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import truncnorm
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.lsgan.net import build
from ganlib.registry import algorithms
from ganlib.runs.settings import read_yaml, resolve

Make = Callable[..., Any]
CHURCH = Path(__file__).parents[2] / "example_configs" / "lsgan_lsun_church.yaml"


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


# --- The authors' networks, in TensorFlow's terms


def same(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """TensorFlow's convolution with padding "SAME": ceil(size / stride) outputs, and where the
    padding is odd, the odd one after the image.
    """
    size, kernel = x.shape[-1], weight.shape[-1]
    total = max(0, (math.ceil(size / stride) - 1) * stride + kernel - size)
    before, after = total // 2, total - total // 2
    return F.conv2d(F.pad(x, (before, after, before, after)), weight, stride=stride)


def same_transpose(h: Tensor, weight: Tensor, stride: int) -> Tensor:
    """TensorFlow's conv2d_transpose: the gradient of `same` by its images, which are `stride` times
    as large as h.
    """
    n, _, height, width = h.shape
    x = torch.zeros(n, weight.shape[1], stride * height, stride * width, dtype=h.dtype)
    (gradient,) = torch.autograd.grad(same(x.requires_grad_(), weight, stride), x, h)
    return gradient


def turned(x: Tensor) -> Tensor:
    return x.flip(2, 3)


@pytest.fixture
def scenes() -> dict[str, Any]:
    """The networks for 112 pixels, narrow, in double precision, with biases."""
    torch.manual_seed(0)
    config = algorithms["lsgan"].config(architecture="lsun", width=0.02)
    networks = build(config, DataSpec((3, 112, 112), (3, 112, 112)))
    for net in networks.values():
        for p in net.double().parameters():
            nn.init.normal_(p, 0, 0.1)
    return networks


def test_the_discriminator_is_vgg_pys_turned(scenes: dict[str, Any]) -> None:
    dis, x = scenes["dis"], torch.rand(3, 3, 112, 112, dtype=torch.float64) * 2 - 1
    h = turned(x)
    for i, (conv, norm, _) in enumerate(normed(dis.features)):
        h = same(h, turned(conv.weight), 2) + conv.bias.view(1, -1, 1, 1)
        h = norm(h) if i else h
        h = torch.maximum(h, 0.2 * h)
    torch.testing.assert_close(dis.l4(turned(h).flatten(1)), dis(x), rtol=0, atol=1e-12)


def normed(features: nn.Sequential) -> list[tuple[Any, Any, Any]]:
    """Convolution, normalisation and activation of each layer; the first has no normalisation."""
    layers = [list(layer) for layer in features if isinstance(layer, nn.Sequential)]
    return [(part[0], nn.Identity() if len(part) == 2 else part[1], part[-1]) for part in layers]


def test_the_generator_is_vgg_pys_turned(scenes: dict[str, Any]) -> None:
    gen = scenes["gen"]
    z = gen.make_hidden(3)
    h = turned(gen.l0(z))
    *inner, last = gen.layers
    for (deconv, norm, relu), stride in zip(inner, (2, 1, 2, 1, 2, 2), strict=True):
        h = same_transpose(h, turned(deconv.weight), stride) + deconv.bias.view(1, -1, 1, 1)
        h = relu(norm(h))
    h = same_transpose(h, turned(last.weight), 1) + last.bias.view(1, -1, 1, 1)
    assert h.shape == (3, 3, 112, 112)
    torch.testing.assert_close(turned(h).tanh(), gen(z), rtol=0, atol=1e-12)


def test_the_networks_for_scenes_start_as_ops_py() -> None:
    """D's convolutions from a normal that is cut at two deviations, all else from a whole one."""
    torch.manual_seed(0)
    config = algorithms["lsgan"].config(architecture="lsun", width=0.5)
    networks = build(config, DataSpec((3, 112, 112), (3, 112, 112)))
    cut = [m for m in networks["dis"].modules() if isinstance(m, nn.Conv2d)]
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    for m in (m for net in networks.values() for m in net.modules() if isinstance(m, kinds)):
        std, n = truncnorm(-2, 2, scale=0.02).std() if m in cut else 0.02, m.weight.numel()
        assert m.weight.std().item() == pytest.approx(std, rel=5 * (2 * n) ** -0.5)
        assert (m.weight.abs().max().item() <= 0.04 * (1 + 1e-6)) == (m in cut)
        assert not m.bias.any()
    norms = [m for net in networks.values() for m in net.modules() if hasattr(m, "running_var")]
    assert len(norms) == 10  # 3 of D, 7 of G
    assert all((m.eps, m.momentum) == (1e-5, 0.1) and (m.weight == 1).all() for m in norms)


def test_the_churches_recipe_is_train_lsun_pys() -> None:
    """Its learning_rate, beta1, batch_size, output_size, max_steps; beta2 is Adam's default."""
    settings = resolve(read_yaml(CHURCH))
    c, run = settings.algorithm, settings.run
    assert (c.adam_alpha, c.adam_beta1, c.adam_beta2) == (0.001, 0.5, 0.999)
    assert (c.batch_size, c.max_iter, run.size, run.dataset) == (
        64,
        1_000_000,
        112,
        "lsun_church_outdoor",
    )
    assert (c.a, c.b, c.c, c.lr_decay) == (0, 1, 1, "none")


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
    loss, side = updater.loss_dis(states(REAL), states(FAKE))
    nearer = (best - b) ** 2 < (best - a) ** 2  # to what D should say of real images
    assert ((side[:, 0] > 0).numpy() == nearer[states(REAL)]).all()
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
