"""common/networks/dcgan.py: sizes, ranges, initial weights, hidden vectors and their truncation."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import norm, truncnorm
from torch import nn

from ganlib.common.generator import Generator, Latent, halvings, scaled
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear
from ganlib.common.networks.dcgan import (
    DCGANDiscriminator,
    DCGANGenerator,
    SNDCGANDiscriminator,
    WGANDiscriminator,
    unnormalized_std,
)
from ganlib.common.networks.resnet import (
    ResNetDiscriminator,
    ResNetGenerator,
    global_mean,
    global_sum,
)

CIFAR = (3, 32, 32)
SN_RESNET = {"conv": SNConv2d, "linear": partial(SNLinear, bias=False), "pool": global_sum}

COUNTS: list[tuple[Callable[..., nn.Module], dict[str, object], int]] = [
    (DCGANGenerator, {}, 3_828_739),
    (DCGANDiscriminator, {}, 5_862_657),
    (WGANDiscriminator, {}, 5_860_865),
    (WGANDiscriminator, {"n_out": 256}, 7_950_080),
    (SNDCGANDiscriminator, {}, 5_860_865),
    (ResNetGenerator, {"widths": [256] * 4}, 4_276_739),
    (ResNetGenerator, {"widths": [128] * 4}, 1_204_483),
    (ResNetDiscriminator, SN_RESNET, 1_053_824),
    (ResNetDiscriminator, {}, 1_053_825),
]
GENERATORS = [
    partial(DCGANGenerator, ch=16),
    partial(ResNetGenerator, widths=[16] * 4),
    partial(ResNetGenerator, widths=[16, 8, 4, 2]),
]
DISCRIMINATORS = [
    DCGANDiscriminator,
    WGANDiscriminator,
    SNDCGANDiscriminator,
    ResNetDiscriminator,
    partial(ResNetDiscriminator, **SN_RESNET),
]
IMAGES = [CIFAR, (1, 32, 32), (3, 48, 48), (3, 16, 24)]


@pytest.mark.parametrize(("network", "settings", "count"), COUNTS)
def test_number_of_parameters(
    network: Callable[..., nn.Module], settings: dict[str, object], count: int
) -> None:
    with torch.device("meta"):
        net = network(CIFAR, **settings)
    assert sum(p.numel() for p in net.parameters()) == count
    assert all(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("network", GENERATORS)
def test_generators(network: Callable[..., Generator], image: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    gen = network(image)
    x = gen(gen.make_hidden(3))
    assert x.shape == (3, *image)
    assert x.dtype == torch.float32
    assert -1 <= x.min() < 0 < x.max() <= 1


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("network", DISCRIMINATORS)
def test_discriminators(network: Callable[..., nn.Module], image: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    dis = network(image, ch=16)
    x = torch.rand(3, *image) * 2 - 1
    assert dis(x).shape == (3, 1)
    assert dis(x, None).isfinite().all()


def test_batch_norm_of_l0_is_per_element() -> None:
    gen = DCGANGenerator(CIFAR, ch=16)
    norms = [m for m in gen.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [m.num_features for m in norms] == [16 * 4 * 4, 8, 4, 2]
    assert all(m.eps == 2e-5 for m in norms)


def test_batch_norms_of_the_discriminators() -> None:
    norms = {
        network: [m for m in network(CIFAR, ch=16).modules() if isinstance(m, nn.BatchNorm2d)]
        for network in (DCGANDiscriminator, WGANDiscriminator, SNDCGANDiscriminator)
    }
    assert [m.num_features for m in norms[DCGANDiscriminator]] == [4, 4, 8, 8, 16, 16]
    assert not norms[WGANDiscriminator] and not norms[SNDCGANDiscriminator]


@pytest.mark.parametrize("network", [DCGANDiscriminator, WGANDiscriminator])
def test_leaky_relus_leak_as_much_as_chainers(network: Callable[..., nn.Module]) -> None:
    leaks = [m for m in network(CIFAR, ch=16).modules() if isinstance(m, nn.LeakyReLU)]
    assert [m.negative_slope for m in leaks] == [0.2] * 7


@pytest.mark.parametrize(
    ("network", "ch", "std"),
    [
        (DCGANGenerator, 64, 0.02),
        (DCGANDiscriminator, 64, 0.02),
        (SNDCGANDiscriminator, 64, 0.02),
        (WGANDiscriminator, 512, 0.02),
        (WGANDiscriminator, 128, 0.04),
    ],
)
def test_weights_start_as_normal(network: Callable[..., nn.Module], ch: int, std: float) -> None:
    torch.manual_seed(0)
    for module in network(CIFAR, ch=ch).modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            spread = std * 5 / (2 * module.weight.numel()) ** 0.5
            assert module.weight.std().item() == pytest.approx(std, abs=spread)
            assert module.bias is not None and not module.bias.any()


def test_only_narrow_networks_start_with_larger_weights() -> None:
    """1 / sqrt(width) times 0.02 below a width of 1, which is 512 channels; 0.02 from there on."""
    stds = {ch: unnormalized_std(ch) for ch in (1, 64, 128, 512, 513, 1024, 4096)}
    assert stds[1] == pytest.approx(0.02 * 512**0.5)
    assert stds[64] == pytest.approx(0.02 * 8**0.5)
    assert stds[128] == pytest.approx(0.02 * 4**0.5)
    assert [stds[ch] for ch in (512, 513, 1024, 4096)] == [0.02] * 4


def test_a_narrow_critic_is_as_steep_as_the_full_one() -> None:
    """The size of D(x) and of its slope do not fall with the width."""
    torch.manual_seed(0)
    x = torch.randn(16, *CIFAR, requires_grad=True)
    slopes = []
    for ch in (64, 512):
        (slope,) = torch.autograd.grad(WGANDiscriminator(CIFAR, ch)(x).sum(), x)
        slopes.append(slope.flatten(1).norm(dim=1).mean().item())
    assert 1 / 8 < slopes[0] / slopes[1] < 8


def test_residual_networks_start_with_glorot_and_zero_biases() -> None:
    torch.manual_seed(0)
    gen, dis = ResNetGenerator(CIFAR, [32] * 4), ResNetDiscriminator(CIFAR, ch=32)
    assert gen.l1.weight.std().item() == pytest.approx((2 / (128 + 512)) ** 0.5, rel=0.02)
    assert gen.c5.weight.std().item() == pytest.approx((2 / (35 * 9)) ** 0.5, rel=0.1)
    for net in (gen, dis):
        assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))


def test_every_layer_of_the_sn_discriminators_is_normalised() -> None:
    for dis in (SNDCGANDiscriminator(CIFAR, 16), ResNetDiscriminator(CIFAR, 16, **SN_RESNET)):
        layers = [m for m in dis.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        assert all(isinstance(m, SNConv2d | SNLinear) for m in layers)


def test_pooling() -> None:
    h = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert global_sum(h).tolist() == [[6, 22]]
    assert global_mean(h).tolist() == [[1.5, 5.5]]


def test_features_come_before_the_last_layer() -> None:
    x = torch.randn(2, *CIFAR)
    dis = WGANDiscriminator(CIFAR, 16)
    assert dis.features(x).shape == (2, 16 * 4 * 4)
    torch.testing.assert_close(dis.l4(dis.features(x)), dis(x))
    assert ResNetDiscriminator(CIFAR, 16).features(x).shape == (2, 16)


def test_channel_numbers() -> None:
    assert halvings(512, 3) == [512, 256, 128, 64]
    assert halvings(5, 3) == [5, 2, 1, 1]
    assert [scaled(512, w) for w in (1.0, 0.1, 1e-9)] == [512, 51, 1]


# --- Hidden vectors


def make(latent: Latent) -> Generator:
    return DCGANGenerator((1, 8, 8), n_hidden=50, ch=8, latent=latent)


@pytest.mark.parametrize("latent", ["normal", "uniform"])
def test_hidden_vectors_are_reproducible_and_follow_the_parameters(latent: Latent) -> None:
    gen = make(latent).double()
    first, second = (gen.make_hidden(4, torch.Generator().manual_seed(1)) for _ in range(2))
    other = gen.make_hidden(4, torch.Generator().manual_seed(2))
    assert first.shape == (4, gen.n_hidden)
    assert first.dtype == torch.float64
    assert torch.equal(first, second) and not torch.equal(first, other)
    torch.manual_seed(3)
    third = gen.make_hidden(4)
    torch.manual_seed(3)
    assert torch.equal(gen.make_hidden(4), third)
    elsewhere = make(latent).to("meta")
    assert elsewhere.make_hidden(2).device.type == "meta"
    assert elsewhere.make_hidden(2, torch.Generator()).device.type == "meta"


def test_distributions_of_hidden_vectors() -> None:
    torch.manual_seed(0)
    uniform, normal = make("uniform").make_hidden(2000), make("normal").make_hidden(2000)
    assert -1 <= uniform.min() < -0.999 and 0.999 < uniform.max() <= 1
    assert uniform.std().item() == pytest.approx(3**-0.5, rel=0.01)
    assert normal.std().item() == pytest.approx(1, rel=0.01)
    assert uniform.mean().item() == pytest.approx(0, abs=0.01)
    assert normal.mean().item() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("psi", [0.04, 0.5, 1.0, 2.0])
def test_truncated_normal(psi: float) -> None:
    z = torch.linspace(-9, 9, 1001)
    found = make("normal").truncate(z, psi)
    expected = truncnorm.ppf(norm.cdf(z.numpy().astype(np.float64)), -psi, psi)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert found.dtype == z.dtype
    assert (found.diff() >= 0).all() and (found[400:601].diff() > 0).all()
    assert found.abs().max() <= psi


def test_truncation_at_its_ends() -> None:
    gen, z = make("normal"), torch.tensor([-20.0, -3.0, -1.0, 0.0, 1.0, 3.0, 20.0])
    assert not gen.truncate(z, 0.0).any()
    torch.testing.assert_close(gen.truncate(z, 50.0)[1:-1], z[1:-1])
    assert gen.truncate(z, 50.0).isfinite().all()


def test_truncated_uniform() -> None:
    z = torch.tensor([-1.0, 0.0, 0.5])
    assert make("uniform").truncate(z, 0.5).tolist() == [-0.5, 0, 0.25]


def test_a_code_is_z_itself_where_there_is_no_other() -> None:
    gen = make("normal").eval()
    z = gen.make_hidden(3)
    assert gen.code(z) is z and torch.equal(gen.draw(z), gen(z))
