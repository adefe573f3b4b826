"""Every method's architectures; of dcgan, sngan and wgan_gp against the papers' numbers too."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from parameters import count
from starting import source_shape
from torch import nn

from ganlib.common.data import DataSpec
from ganlib.common.generator import Generator
from ganlib.common.layers.basic import SameConv2d
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear
from ganlib.registry import algorithms
from ganlib.wgan_gp.net import SameConvTranspose2d

# folder, architecture, side of the image, parameters of gen and of dis, n_hidden, latent
TABLE = [
    ("dcgan", "dcgan", 32, 3_828_739, 5_862_657, 128, "uniform"),
    ("dcgan", "radford", 64, 18_885_760, 17_232_768, 100, "uniform"),
    ("dcgan", "torch", 64, 3_576_704, 2_765_568, 100, "normal"),
    ("sngan", "sndcgan", 32, 3_828_739, 5_860_865, 128, "uniform"),
    ("sngan", "cnn", 32, 3_812_355, 2_935_873, 128, "normal"),
    ("sngan", "resnet", 32, 4_276_739, 1_053_824, 128, "normal"),
    ("wgan_gp", "dcgan", 32, 3_828_739, 5_860_865, 128, "uniform"),
    ("wgan_gp", "cnn", 32, 5_179_907, 4_114_689, 128, "normal"),
    ("wgan_gp", "resnet", 32, 1_204_483, 1_053_825, 128, "normal"),
]
NAMES = [row[:3] for row in TABLE] + [("sngan", "quick", 32)]


@dataclass(frozen=True)
class Config:
    architecture: str
    width: float = 1.0


def build(
    folder: str, architecture: str, image: tuple[int, int, int], width: float = 1.0
) -> tuple[Generator, nn.Module]:
    torch.manual_seed(0)
    module = import_module(f"ganlib.{folder}.net")
    networks = module.build(Config(architecture, width), DataSpec(image, image))
    assert list(networks) == ["gen", "dis"]
    return networks["gen"], networks["dis"]


@pytest.mark.parametrize("name", algorithms.names())
def test_the_settings_have_all_architectures_and_no_other(name: str) -> None:
    algorithm: Any = algorithms[name]
    choices = get_args(algorithm.config.model_fields["architecture"].annotation)
    assert choices == tuple(algorithm.build.builds)
    for architecture in choices:
        config = algorithm.config(architecture=architecture)
        image = (3, *config.image_size(32, 32))
        labelled, source = config.condition == "labels", source_shape(name, image)
        with torch.device("meta"):
            spec = DataSpec(image, image, n_classes=3 if labelled else 0, source=source)
            gen: Any = algorithm.build(config, spec)["gen"]
            y = torch.zeros(2, dtype=torch.int64) if labelled else None
            y = y if source is None else torch.zeros(2, *source)
            assert gen(gen.make_hidden(2), y).shape == (2, *image)


@pytest.mark.parametrize(
    ("folder", "architecture", "side", "gen_count", "dis_count", "n_hidden", "latent"), TABLE
)
def test_the_papers_networks(
    folder: str,
    architecture: str,
    side: int,
    gen_count: int,
    dis_count: int,
    n_hidden: int,
    latent: str,
) -> None:
    with torch.device("meta"):
        gen, dis = build(folder, architecture, (3, side, side))
        images = gen(gen.make_hidden(2))
        assert images.shape == (2, 3, side, side)
        assert dis(images).shape == (2, 1)
    assert (count(gen), count(dis)) == (gen_count, dis_count)
    assert (gen.n_hidden, gen.latent) == (n_hidden, latent)


@pytest.mark.parametrize("channels_and_factor", [(1, 1.0), (3, 1.5)])
@pytest.mark.parametrize(("folder", "architecture", "side"), NAMES)
def test_other_images(
    folder: str, architecture: str, side: int, channels_and_factor: tuple[int, float]
) -> None:
    channels, factor = channels_and_factor
    image = (channels, int(side * factor), int(side * factor))
    gen, dis = build(folder, architecture, image, width=0.05)
    assert isinstance(gen, Generator)
    x = gen(gen.make_hidden(2))
    assert x.shape == (2, *image)
    assert x.abs().max() <= 1 and x.std() > 0
    assert dis(x).shape == (2, 1)


@pytest.mark.parametrize(("folder", "architecture", "side"), NAMES)
def test_every_parameter_has_a_gradient(folder: str, architecture: str, side: int) -> None:
    gen, dis = build(folder, architecture, (1, side, side), width=0.05)
    y = dis(gen(gen.make_hidden(2)))
    parameters = [*gen.parameters(), *dis.parameters()]
    assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), parameters))


@pytest.mark.parametrize(("folder", "architecture", "side"), NAMES)
def test_biases_start_at_zero(folder: str, architecture: str, side: int) -> None:
    for net in build(folder, architecture, (3, side, side), width=0.05):
        assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))


def test_the_smallest_width_still_builds() -> None:
    for folder, architecture, side in NAMES:
        gen, dis = build(folder, architecture, (3, side, side), width=1e-6)
        assert dis(gen(gen.make_hidden(2))).shape == (2, 1)


@pytest.mark.parametrize("architecture", ["sndcgan", "cnn", "resnet", "quick"])
def test_sngan_normalises_every_layer_of_the_discriminator(architecture: str) -> None:
    _, dis = build("sngan", architecture, (3, 32, 32), width=0.05)
    layers = [m for m in dis.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert layers and all(isinstance(m, SNConv2d | SNLinear) for m in layers)


@pytest.mark.parametrize("architecture", ["dcgan", "cnn", "resnet"])
def test_wgan_gp_has_no_batch_norm_in_the_critic(architecture: str) -> None:
    _, dis = build("wgan_gp", architecture, (3, 32, 32), width=0.05)
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in dis.modules())


def test_slopes() -> None:
    slopes = {
        (folder, architecture): {
            m.negative_slope
            for m in build(folder, architecture, (3, side, side), 0.05)[1].modules()
            if isinstance(m, nn.LeakyReLU)
        }
        for folder, architecture, side in NAMES
        if architecture != "resnet"
    }
    assert slopes.pop(("sngan", "cnn")) == {0.1}
    assert all(slope == {0.2} for slope in slopes.values())


@pytest.mark.parametrize(("architecture", "eps"), [("radford", 1e-8), ("torch", 1e-5)])
def test_dcgans_authors_initialise_gains_and_have_no_biases(architecture: str, eps: float) -> None:
    gen, dis = build("dcgan", architecture, (3, 64, 64), width=0.25)
    for net in (gen, dis):
        modules = list(net.modules())
        norms = [m for m in modules if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        gains = torch.cat([m.weight.detach() for m in norms])
        assert gains.mean().item() == pytest.approx(1, abs=0.005)
        assert gains.std().item() == pytest.approx(0.02, rel=0.2)
        assert all(m.eps == eps for m in norms)
        layers = [m for m in modules if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
        assert all(m.bias is None for m in layers)
        for m in layers:
            assert m.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_wgan_gps_cnn_starts_as_the_authors() -> None:
    gen, dis = build("wgan_gp", "cnn", (3, 32, 32), width=0.25)
    deconv = next(m for m in gen.modules() if isinstance(m, nn.ConvTranspose2d))  # 128 -> 64
    conv = [m for m in dis.modules() if isinstance(m, nn.Conv2d)][1]  # 32 -> 64
    linear = next(m for m in gen.modules() if isinstance(m, nn.Linear))  # 128 -> 2048
    for layer, fans in [
        (deconv, 128 * 25 / 4 + 64 * 25),
        (conv, 32 * 25 + 64 * 25 / 4),
        (linear, (128 + 2048) * 2),
    ]:
        assert layer.weight.std().item() == pytest.approx((4 / fans) ** 0.5, rel=0.02)


# --- 5x5 kernels with stride 2


def test_same_deconvolution_is_the_transpose() -> None:
    torch.manual_seed(0)
    conv, deconv = SameConv2d(2, 3, 5, 2), SameConvTranspose2d(3, 2)
    nn.init.zeros_(conv.bias)
    nn.init.zeros_(deconv.bias)
    deconv.weight = conv.weight
    x, y = torch.randn(1, 2, 8, 6), torch.randn(1, 3, 4, 3)
    assert conv(x).shape == y.shape and deconv(y).shape == x.shape
    torch.testing.assert_close((conv(x) * y).sum(), (x * deconv(y)).sum())


def test_radfords_deconvolution_is_the_transpose_of_padding_2() -> None:
    gen, _ = build("dcgan", "radford", (3, 64, 64), width=0.05)
    deconv = next(m for m in gen.modules() if isinstance(m, nn.ConvTranspose2d))
    y = torch.randn(1, deconv.in_channels, 4, 4)
    x = torch.randn(1, deconv.out_channels, 8, 8)
    conv = F.conv2d(x, deconv.weight, stride=2, padding=2)
    torch.testing.assert_close((conv * y).sum(), (x * deconv(y)).sum(), rtol=1e-4, atol=1e-4)
