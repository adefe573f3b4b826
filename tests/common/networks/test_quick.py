"""Quick networks: how they grow with the image, in every method that has them."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from ganlib.common.data.spec import DataSpec
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear
from ganlib.common.networks.quick import layers, quick_discriminator, quick_generator
from ganlib.registry import algorithms


def starting_from_noise(condition: str | None = None) -> list[str]:
    """The methods that ask for these conditions, but for those whose networks are their own."""
    own = ("fastgan", "progressive", "projected_gan", "stylegan2")
    names = [name for name in algorithms.names() if name not in own]
    return [name for name in names if algorithms[name].config().condition == condition]


@pytest.mark.parametrize(
    ("side", "n"), [(16, 3), (24, 3), (32, 3), (56, 3), (64, 4), (96, 4), (128, 5)]
)
def test_images_are_halved_down_to_four_pixels_and_three_times_at_least(side: int, n: int) -> None:
    assert layers((3, side, side)) == n
    assert layers((3, side, 2 * side)) == n
    assert n == 3 or 4 <= side / 2**n < 8


@pytest.mark.parametrize("side", [32, 64])
def test_parameters_are_those_of_the_layers(side: int) -> None:
    """Counted by hand: 4x4 kernels, a linear layer to and from 4 pixels."""
    image, n = (3, side, side), 3 if side == 32 else 4
    up = [256 >> k for k in range(n)] + [3]
    gen = sum(16 * a * b + b for a, b in pairwise(up))
    gen += 128 * 256 * 16 + 256 * 16 + 2 * 256 * 16 + 2 * sum(up[1:-1])  # linear, norms
    down = [3] + [32 << k for k in range(n)]
    dis = sum(16 * a * b + b for a, b in pairwise(down)) + down[-1] * 16 + 1
    count = lambda network: sum(p.numel() for p in network.parameters())  # noqa: E731
    assert count(quick_generator(image)) == gen
    assert count(quick_discriminator(image)) == dis
    assert count(quick_discriminator(image, 1.0, SNConv2d, SNLinear)) == dis


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("name", starting_from_noise())
def test_methods_train_on_colour_with_them(name: str, side: int) -> None:
    image = (3, side, side)
    config = algorithms[name].config(architecture="quick", width=0.05, batch_size=4)
    networks = algorithms[name].networks(config, DataSpec(image, image))
    z = networks["gen"].make_hidden(4)  # type: ignore[operator]
    x = networks["gen"](z)
    assert x.shape == (4, *image) and float(x.detach().abs().max()) <= 1
    dis: nn.Module = networks["enc"].body if name == "vae" else networks["dis"]
    torch.autograd.backward(dis(x).sum())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in dis.parameters())


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("name", starting_from_noise("labels"))
def test_methods_that_are_told_of_classes_too(name: str, side: int) -> None:
    image, y = (3, side, side), torch.arange(4) % 3
    config = algorithms[name].config(architecture="quick", width=0.05, batch_size=4)
    networks = algorithms[name].networks(config, DataSpec(image, image, n_classes=3))
    x = networks["gen"](networks["gen"].make_hidden(4), y)  # type: ignore[operator]
    assert x.shape == (4, *image) and float(x.detach().abs().max()) <= 1
    seen = networks["dis"](x, y)
    sums = [logits.sum() for logits in (seen if isinstance(seen, tuple) else (seen,))]
    torch.autograd.backward(sums)
    for network in (networks["gen"], networks["dis"]):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_the_halves_of_an_autoencoder_are_those_layers_without_norms() -> None:
    """BEGAN's D: a code of 128 in place of D's logit, and G without its gains and biases."""
    image = (3, 32, 32)
    began = algorithms["began"]
    networks = began.networks(began.config(architecture="quick"), DataSpec(image, image))
    count = lambda network: sum(p.numel() for p in network.parameters())  # noqa: E731
    encoder = count(quick_discriminator(image)) + 127 * (16 * 128 + 1)
    decoder = count(quick_generator(image)) - 2 * (16 * 256 + 128 + 64)
    assert count(networks["gen"]) == count(quick_generator(image))
    assert count(networks["dis"]) == encoder + decoder


def test_there_are_such_methods() -> None:
    assert {"sngan", "dcgan", "vae", "began", "improved_gan"} <= set(starting_from_noise())
    assert {"cgan", "acgan", "sngan_projection", "sagan"} <= set(starting_from_noise("labels"))
