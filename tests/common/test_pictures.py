"""Scatter plots; grids are tested where they are written."""

import numpy as np
import pytest
import torch
from PIL import ImageColor
from torch import Tensor
from torchvision.utils import make_grid

from ganlib.common.pictures import (
    BLUE,
    GREY,
    MARGIN,
    PLOT,
    apart,
    frames,
    grid,
    moving_grid,
    scatter,
    tiled,
)

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def place(x: float, y: float) -> tuple[int, int]:
    """Row and column of a point."""
    side = PLOT - 2 * MARGIN
    return round(MARGIN + (1 - y) / 2 * side), round(MARGIN + (x + 1) / 2 * side)


def is_(pixels: Pixels, x: float, y: float, colour: str) -> bool:
    return tuple(pixels[place(x, y)].tolist()) == ImageColor.getrgb(colour)


def points(*pairs: tuple[float, float]) -> Tensor:
    return torch.tensor(pairs)[..., None, None]


def test_points_are_where_they_should_be() -> None:
    pixels = np.asarray(scatter(points((0.5, 0.25), (-0.9, -0.9)), points((-0.5, 0.75))))
    assert pixels.shape == (PLOT, PLOT, 3)
    assert is_(pixels, 0.5, 0.25, BLUE) and is_(pixels, -0.9, -0.9, BLUE)
    assert is_(pixels, -0.5, 0.75, GREY)
    assert is_(pixels, 0.5, -0.25, "white") and is_(pixels, 0.25, 0.5, "white")
    blue = (pixels == ImageColor.getrgb(BLUE)).all(-1)
    assert 2 * 5 <= blue.sum() <= 2 * 13  # discs of area 4 pi, less their blurred edges


def test_samples_lie_before_real_points() -> None:
    pixels = np.asarray(scatter(points((0, 0.5)), points((0, 0.5))))
    assert is_(pixels, 0, 0.5, BLUE)


def test_what_lies_outside_is_not_shown() -> None:
    empty = scatter(torch.zeros(0, 2, 1, 1))
    assert scatter(points((1.01, 0), (0, -3))).tobytes() == empty.tobytes()
    assert scatter(points((1, 0))).tobytes() != empty.tobytes()


def test_a_grid_of_points_is_a_scatter_plot() -> None:
    x = points((0.5, 0.25), (-0.9, -0.9))
    assert grid(x).tobytes() == scatter(x).tobytes()
    assert [f.tobytes() for f in frames(x)] == [scatter(p[None]).tobytes() for p in x]


def test_a_sequence_is_a_row_and_a_film_of_grids() -> None:
    x = torch.linspace(-1, 1, 3 * 6 * 4).reshape(3, 6, 2, 2)
    sequences = apart(x, 2)
    assert sequences.shape == (3, 2, 3, 2, 2) and torch.equal(sequences[:, 1], x[:, 3:])
    assert apart(x, 1) is x
    rows = x.reshape(6, 3, 2, 2)  # a, a', b, b', c, c'
    assert grid(sequences).tobytes() == grid(rows, 2).tobytes()
    first, second = moving_grid(sequences)
    assert first.tobytes() == grid(x[:, :3]).tobytes()
    assert second.tobytes() == grid(x[:, 3:]).tobytes()


@pytest.mark.parametrize(
    ("n", "columns"), [(3, 3), (4, 4), (6, 6), (8, 8), (10, 8), (12, 6), (16, 8), (20, 4), (24, 8)]
)
def test_a_moving_grid_has_full_rows_where_it_can(n: int, columns: int) -> None:
    (frame,) = moving_grid(torch.zeros(n, 1, 1, 100, 100))
    assert frame.size == (columns * 102 + 2, -(-n // columns) * 102 + 2)
    (narrow,) = moving_grid(torch.zeros(n, 1, 1, 100, 100), 2)
    assert narrow.width == 206


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize(("n", "columns"), [(1, 4), (3, 8), (8, 4), (11, 4)])
def test_tiles_lie_as_torchvision_lays_them(n: int, columns: int, gap: int) -> None:
    x = torch.randint(256, (n, 3, 5, 7), dtype=torch.uint8)
    assert torch.equal(tiled(x, columns, gap, 9), make_grid(x, columns, gap, pad_value=9))
