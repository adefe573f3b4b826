"""Minibatch discrimination: the published sizes, and what the discriminator sees of a batch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from parameters import count
from torch import nn

from ganlib.common.data import DataSpec
from ganlib.common.layers import MinibatchDiscrimination
from ganlib.common.layers.weight_norm import WNMinibatchDiscrimination
from ganlib.dcgan.updater import Updater as DCGANUpdater
from ganlib.registry import algorithms

ARCHITECTURES = ["dcgan", "openai", "quick", "mlp"]


def build(architecture: str, channels: int = 3, side: int = 32, **settings: Any) -> Any:
    algorithm = algorithms["minibatch_discrimination"]
    config = algorithm.config(architecture=architecture, **settings)
    image = (channels, side, side)
    return algorithm.build(config, DataSpec(image, image)).values()


def test_chainer_gan_libs_sizes() -> None:
    with torch.device("meta"):
        gen, dis = build("dcgan")
    unused_norm, bias_of_t = 512, 500
    assert count(gen) == 3_828_739
    assert count(dis) + unused_norm + bias_of_t == 9_959_257


def test_the_authors_sizes() -> None:
    with torch.device("meta"):
        gen, dis = build("openai")
    assert (count(gen), count(dis)) == (4_933_382, 1_504_404)
    assert (gen.n_hidden, gen.latent) == (100, "uniform")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("image", [(1, 32), (3, 48), (2, 16)])
def test_other_images(architecture: str, image: tuple[int, int]) -> None:
    gen, dis = build(architecture, *image, width=0.05)
    x = gen(gen.make_hidden(3))
    assert x.shape == (3, image[0], image[1], image[1])
    assert dis(x).shape == (3, 1)


def test_points() -> None:
    gen, dis = build("mlp", 2, 1, width=0.1)
    assert dis(gen(gen.make_hidden(3))).shape == (3, 1)


def test_no_normalisation_of_what_is_compared() -> None:
    _, dis = build("dcgan", width=0.05)
    norms = [m for m in dis.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 5
    *_, c3_0, _ = dis.features
    assert not any(isinstance(m, nn.BatchNorm2d) for m in c3_0)


@torch.no_grad()
def test_narrow_features_are_as_far_from_each_other() -> None:
    """The mean of |M_ib - M_jb|_1 for images of noise, in a batch of its own statistics."""
    torch.manual_seed(0)
    x, distances = torch.randn(8, 3, 32, 32), []
    for width in (0.125, 1.0):
        _, dis = build("dcgan", width=width)
        m = dis.l4[0].project(dis.features(x))
        distances.append((m[:, None] - m).abs().sum(3).mean().item())
    assert 0.5 < distances[0] / distances[1] < 2


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_kernels_are_settings(architecture: str) -> None:
    _, dis = build(architecture, width=0.05, n_kernels=7, kernel_dim=2)
    (layer,) = (m for m in dis.modules() if isinstance(m, MinibatchDiscrimination))
    assert layer.t.weight.shape[0] == 14


@torch.no_grad()
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_sample_is_judged_by_its_company(architecture: str) -> None:
    """The same image gets another logit in a batch of copies than in a mixed one."""
    torch.manual_seed(0)
    _, dis = build(architecture, width=0.1)
    dis.double().eval()
    x = torch.rand(8, 3, 32, 32, dtype=torch.float64) * 2 - 1
    copies, mixed = dis(x[:1].expand(8, -1, -1, -1)), dis(x)
    assert copies.std() < 1e-12
    assert (copies[0] - mixed[0]).abs() > 1e-9
    torch.testing.assert_close(dis(x.flip(0)), mixed.flip(0))


def test_openais_logit_is_real_against_a_fake_class_of_logit_0() -> None:
    _, dis = build("openai", width=0.1)
    dis.eval()
    x = torch.rand(4, 3, 32, 32)
    ten = dis.l4[:2](dis.features(x))
    assert ten.shape == (4, 10)
    fake = torch.softmax(torch.cat((ten, torch.zeros(4, 1)), 1), 1)[:, 10]
    torch.testing.assert_close(torch.sigmoid(dis(x))[:, 0], 1 - fake)


def test_training_is_dcgans(make_updater: Callable[..., Any]) -> None:
    updater = make_updater("minibatch_discrimination")
    assert isinstance(updater, DCGANUpdater)
    assert type(updater).update_core is DCGANUpdater.update_core


def test_openais_networks_start_from_a_batch(make_updater: Callable[..., Any]) -> None:
    updater = make_updater("minibatch_discrimination", architecture="openai", batch_size=16)
    (layer,) = (m for m in updater.dis.modules() if isinstance(m, WNMinibatchDiscrimination))
    assert layer.log_gain.std() > 0 and (layer.bias != -1).all()
    before_tanh = updater.fake(updater.hidden(64)).atanh()
    assert before_tanh.std().item() == pytest.approx(0.1, rel=0.5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_trains(architecture: str, make_updater: Callable[..., Any]) -> None:
    updater = make_updater("minibatch_discrimination", architecture=architecture)
    before = {name: p.detach().clone() for name, p in updater.named_parameters()}
    assert all(torch.isfinite(value) for value in updater.update().values())
    updater.check_finite()
    still = [n for n, p in updater.named_parameters() if torch.equal(p.detach(), before[n])]
    assert still == []
