"""Where tiles lie, and how they are blended."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from ganlib.sampling.translation.translator import blended, grown, places, tiled, up_to

ONE = Fraction(1)


@pytest.mark.parametrize("unit", [1, 2, 3])
@pytest.mark.parametrize("tile", [6, 12, 18, 30])
def test_tiles_cover_all_and_overlap_enough(tile: int, unit: int) -> None:
    for length in range(tile, 200, unit):
        length -= length % unit
        starts = places(max(length, tile), tile, unit)
        assert starts[0] == 0 and starts[-1] + tile == max(length, tile)
        assert all(start % unit == 0 for start in starts)
        steps = np.diff(starts)
        assert (steps > 0).all() and (steps <= tile - tile // 4 // unit * unit).all()
        assert len(steps) == 0 or steps.max() - steps.min() <= unit


def test_one_tile_of_a_short_side() -> None:
    assert places(5, 8) == [0]


def weights(starts: list[int], tile: int, overlap: int) -> NDArray[np.float64]:
    """How much of tile i is in pixel x, (tiles, pixels), pixel by pixel."""
    w = np.zeros((len(starts), starts[-1] + tile))
    for i, start in enumerate(starts):
        for x in range(start, start + tile):
            w[i, x] = 1.0
            if i > 0:  # grows from 0 to 1 around the middle of what it shares with the tile before
                shared = starts[i - 1] + tile - start
                first = start + (shared - min(overlap, shared)) // 2
                w[i, x] *= np.clip((x - first + 0.5) / min(overlap, shared), 0, 1)
            if i + 1 < len(starts):
                shared = start + tile - starts[i + 1]
                first = starts[i + 1] + (shared - min(overlap, shared)) // 2
                w[i, x] *= 1 - np.clip((x - first + 0.5) / min(overlap, shared), 0, 1)
    return w


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 16), (23, 41), (64, 100)])
@pytest.mark.parametrize("tile", [(8, 8), (5, 8)])
def test_against_a_loop(height: int, width: int, tile: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    made: list[Tensor] = []

    def make(y: Tensor) -> Tensor:
        assert y.shape[2:] == tile
        made.append(torch.randn(1, 2, *tile, generator=random))
        return made[-1]

    found = tiled(torch.zeros(1, 3, height, width), tile, (ONE, ONE), make)
    tops, lefts = places(height, tile[0]), places(width, tile[1])
    down, across = weights(tops, tile[0], tile[0] // 4), weights(lefts, tile[1], tile[1] // 4)
    np.testing.assert_allclose(down.sum(0), 1)
    np.testing.assert_allclose(across.sum(0), 1)
    expected = np.zeros((2, height, width))
    for k, part in enumerate(made):
        i, j = divmod(k, len(lefts))
        for y in range(tile[0]):
            for x in range(tile[1]):
                weight = down[i, tops[i] + y] * across[j, lefts[j] + x]
                expected[:, tops[i] + y, lefts[j] + x] += weight * part[0, :, y, x].numpy()
    assert len(made) == len(tops) * len(lefts) and found.shape == (1, 2, height, width)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (40, 17)])
def test_a_constant_and_what_is_given_back_are_exact(size: tuple[int, int]) -> None:
    y = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(tiled(y, (8, 8), (ONE, ONE), lambda part: part), y)
    third = torch.full((1, 1, 8, 8), 1 / 3)
    assert bool((tiled(y, (8, 8), (ONE, ONE), lambda _: third) == third[0, 0, 0, 0]).all())


@pytest.mark.parametrize("scale", [Fraction(4), Fraction(1, 2), Fraction(3, 2)])
def test_images_larger_and_smaller_than_their_sources(scale: Fraction) -> None:
    """What enlarges every pixel by itself does not show where the tiles were."""
    y = torch.randn(1, 1, 22, 40, generator=torch.Generator().manual_seed(0))
    unit = scale.denominator
    y = y[..., ::unit, ::unit].repeat_interleave(unit, 2).repeat_interleave(unit, 3)

    def make(part: Tensor) -> Tensor:
        size = [int(n * scale) for n in part.shape[2:]]
        return interpolate(part, size, mode="nearest-exact")

    assert torch.equal(tiled(y, (8, 8), (scale, scale), make), make(y))


def test_two_parts_turn_into_each_other_linearly() -> None:
    parts = [torch.zeros(1, 6), torch.ones(1, 6)]
    found = blended(parts, [0, 2], 2, dim=1)  # they share 2 to 6, and turn in 3 to 5
    assert torch.equal(found, torch.tensor([[0, 0, 0, 0.25, 0.75, 1, 1, 1]]))


def test_multiples() -> None:
    assert [up_to(n, 4) for n in (1, 4, 5, 8)] == [4, 4, 8, 8]


@pytest.mark.parametrize("size", [(3, 4), (3, 9), (12, 4), (7, 40)])
def test_the_border_is_repeated_in_every_type(size: tuple[int, int]) -> None:
    x = torch.randint(256, (2, 3, 3, 4), generator=torch.Generator().manual_seed(0))
    expected = F.pad(x.float(), (0, size[1] - 4, 0, size[0] - 3), mode="replicate")
    for dtype in (torch.uint8, torch.int32, torch.float32):
        found = grown(x.to(dtype), size)
        assert found.dtype == dtype and torch.equal(found.float(), expected)
