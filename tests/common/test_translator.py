"""common/translator.py: sizes and widths on the way; the layers themselves are held by hand in
tests/ganlib/test_cyclegan.py.
"""

import pytest
import torch
from parameters import count
from torch import nn

from ganlib.common.translator import Block, doubling, halving, to_image, translating


@pytest.mark.parametrize(("downs", "blocks"), [(1, 0), (2, 3), (4, 1)])
def test_channels_double_as_sides_halve_and_back(downs: int, blocks: int) -> None:
    h, seen = torch.rand(1, 5, 32, 64), []
    for layer in translating(5, 3, downs, blocks):
        h = layer(h)
        seen.append(tuple(h.shape[1:]))
    way = [(3 << k, 32 >> k, 64 >> k) for k in range(downs + 1)]
    assert seen == [*way, *blocks * [way[-1]], *reversed(way[:-1])]


def test_pix2pixhds_global_generator_has_182546755_parameters() -> None:
    with torch.device("meta"):
        assert count(nn.Sequential(*translating(36, 64, 4, 9), to_image(64, 3))) == 182_546_755


def test_halving_and_doubling_are_of_each_other() -> None:
    x = torch.rand(2, 3, 8, 12)
    assert halving(3, 5)(x).shape == (2, 5, 4, 6)
    assert doubling(3, 5)(x).shape == (2, 5, 16, 24)
    assert Block(3)(x).shape == x.shape and float(to_image(3, 1)(x).detach().abs().max()) <= 1
