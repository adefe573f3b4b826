"""networks/translator.py: sizes and widths on the way; the layers themselves are held by hand in
tests/ganlib/test_cyclegan.py.
"""

from typing import get_args

import numpy as np
import pytest
import torch
from parameters import count
from torch import nn

from ganlib.common.networks.translator import (
    Block,
    Upsampling,
    doubling,
    halving,
    to_image,
    translating,
)


@pytest.mark.parametrize(("downs", "blocks"), [(1, 0), (2, 3), (4, 1)])
def test_channels_double_as_sides_halve_and_back(downs: int, blocks: int) -> None:
    h, seen = torch.rand(1, 5, 32, 64), []
    for layer in translating(5, 3, downs, blocks, "transposed"):
        h = layer(h)
        seen.append(tuple(h.shape[1:]))
    way = [(3 << k, 32 >> k, 64 >> k) for k in range(downs + 1)]
    assert seen == [*way, *blocks * [way[-1]], *reversed(way[:-1])]


@pytest.mark.parametrize("upsampling", get_args(Upsampling))
def test_pix2pixhds_global_generator_has_182546755_parameters(upsampling: Upsampling) -> None:
    with torch.device("meta"):
        layers = translating(36, 64, 4, 9, upsampling)
        assert count(nn.Sequential(*layers, to_image(64, 3))) == 182_546_755


@pytest.mark.parametrize("upsampling", get_args(Upsampling))
def test_halving_and_doubling_are_of_each_other(upsampling: Upsampling) -> None:
    x = torch.rand(2, 3, 8, 12)
    assert halving(3, 5)(x).shape == (2, 5, 4, 6)
    assert doubling(3, 5, upsampling)(x).shape == (2, 5, 16, 24)
    assert Block(3)(x).shape == x.shape and float(to_image(3, 1)(x).detach().abs().max()) <= 1


def test_an_even_surface_stays_even_by_nearest_alone() -> None:
    surface = torch.full((1, 3, 4, 6), 0.7)
    expected: dict[Upsampling, bool] = {"nearest": True, "transposed": False}
    for upsampling, even in expected.items():
        torch.manual_seed(0)
        layers = doubling(3, 5, upsampling)[:-2]  # without the norm and ReLU
        h = layers(surface).detach()[..., 1:-1, 1:-1]
        assert (float((h.amax((2, 3)) - h.amin((2, 3))).max()) < 1e-6) is even


def test_nearest_is_a_convolution_of_pixels_repeated() -> None:
    x, layers = torch.rand(2, 3, 4, 5), doubling(3, 2, "nearest")
    convolution = next(layer for layer in layers if isinstance(layer, nn.Conv2d))
    wide = np.pad(x.numpy().repeat(2, 2).repeat(2, 3), ((0, 0), (0, 0), (1, 1), (1, 1)), "reflect")
    weight, bias = (p.detach().numpy() for p in convolution.parameters())
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), (2, 3))
    expected = np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]
    found = layers[:-2](x).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
