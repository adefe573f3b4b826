"""Quick networks: how they grow with the image, in every method that has them."""

from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import nn

from ganlib.common.data.spec import DataSpec
from ganlib.common.layers.spectral_norm import SNConv2d, SNLinear
from ganlib.common.networks.quick import layers, quick_discriminator, quick_generator
from ganlib.registry import algorithms


def having_them(condition: str | None = None) -> list[str]:
    """The methods that have them and ask for these conditions; progressive's are its own."""
    configs = {name: algorithms[name].config for name in algorithms.names()}
    return [
        name
        for name, config in configs.items()
        if "quick" in get_args(config.model_fields["architecture"].annotation)
        and config().condition == condition
        and name != "progressive"
    ]


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
@pytest.mark.parametrize("name", having_them())
def test_methods_train_on_colour_with_them(name: str, side: int) -> None:
    image = (3, side, side)
    config = algorithms[name].config(architecture="quick", width=0.05, batch_size=4)
    networks = algorithms[name].networks(config, DataSpec(image, image))
    z = networks["gen"].make_hidden(4)  # type: ignore[operator]
    x = networks["gen"](z)
    assert x.shape == (4, *image) and float(x.detach().abs().max()) <= 1
    dis: nn.Module = networks["dis"]
    torch.autograd.backward(dis(x).sum())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in dis.parameters())


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("name", having_them("labels"))
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


def test_there_are_such_methods() -> None:
    assert {"sngan", "dcgan", "wgan_gp", "cramer", "dfm", "alpha_gan"} <= set(having_them())
    assert {"cgan", "acgan", "sngan_projection", "sagan"} <= set(having_them("labels"))
