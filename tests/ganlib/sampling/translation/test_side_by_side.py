"""One picture of sources and what was made of them."""

import torch

from ganlib.common.pictures import to_uint8
from ganlib.common.pictures.colours import coloured
from ganlib.sampling.translation.side_by_side import CELL, cell, side_by_side, source_cell


def test_cells_show_the_whole_picture_on_white() -> None:
    x = torch.tensor([[-1.0, 1.0], [0.0, 0.5], [1.0, -1.0], [0.5, 0.0]])[None]
    found = to_uint8(cell(x))
    assert found.shape == (3, CELL, CELL) and torch.equal(found[0], found[2])
    inside = found[0, :, CELL // 4 : 3 * CELL // 4]  # half as wide as high
    square = CELL // 4
    expected = to_uint8(x)[0].repeat_interleave(square, 0).repeat_interleave(square, 1)
    assert torch.equal(inside, expected)
    outside = torch.cat([found[0, :, : CELL // 4], found[0, :, 3 * CELL // 4 :]], 1)
    assert bool((outside == 255).all())


def test_sources_are_shown_as_they_are_and_classes_in_colours() -> None:
    y = torch.randint(256, (3, CELL, CELL), dtype=torch.uint8)
    assert torch.equal(to_uint8(source_cell(y)), y)
    ids = torch.arange(3, dtype=torch.int32).reshape(1, 3, 1).repeat(2, 1, 3)
    colours = to_uint8(source_cell(ids))[:, [10, 64, 118], 64]
    assert torch.equal(colours, coloured(torch.arange(3)))


def test_as_many_rows_beside_each_other_as_make_a_square() -> None:
    cells = [torch.zeros(3, CELL, CELL)] * 2
    for rows, (across, down) in {1: (1, 1), 8: (2, 4), 64: (6, 11)}.items():
        picture = side_by_side(rows * [cells])
        assert picture.size == (across * 2 * (CELL + 2) + 2, down * (CELL + 2) + 2)
