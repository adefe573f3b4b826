"""common/pictures.py: where each picture lies."""

import torch
from torch import Tensor

from ganlib.common.pictures import GROUND, coloured_maps, translation_grid

LEVELS = torch.linspace(-1, 1, 6)


def flat(levels: Tensor, *shape: int) -> Tensor:
    """Images of 96 pixels, each of one level."""
    return levels.reshape(*shape, 1, 1, 1).expand(*shape, 3, 96, 96)


def test_a_group_is_a_source_its_outputs_and_the_truth() -> None:
    columns = {"source": flat(LEVELS[:1], 1), "outputs": flat(LEVELS[1:5], 1, 4)}
    picture = translation_grid({**columns, "truth": flat(LEVELS[5:], 1)})
    assert picture.size == (6 * 98 - 2, 28 + 96)
    seen = [picture.getpixel((98 * k + 48, 28 + 48)) for k in range(6)]
    assert seen == [(v, v, v) for v in (0, 51, 102, 153, 204, 255)]
    between = [picture.getpixel((98 * k + 97, 28 + 48)) for k in range(5)]
    assert between == 5 * [(255, 255, 255)]


def test_groups_fill_rows() -> None:
    picture = translation_grid({"source": flat(LEVELS, 6), "output": flat(-LEVELS, 6)})
    wide, high = 2 * 98 + 16, 98
    assert picture.size == (2 * wide - 18, 28 + 3 * high - 2)
    for i, level in enumerate((0, 51, 102, 153, 204, 255)):
        left, top = i % 2 * wide, 28 + i // 2 * high
        assert picture.getpixel((left + 48, top + 48)) == 3 * (level,)
        assert picture.getpixel((left + 98 + 48, top + 48)) == 3 * (255 - level,)
    one = translation_grid({"source": flat(LEVELS, 6)}, across=6)
    assert one.size == (6 * 114 - 18, 28 + 96)


def test_numbers_have_colours_of_their_own() -> None:
    ids = torch.tensor([[0, 1, 2], [3, 1, 0]], dtype=torch.int32)
    colours = coloured_maps(ids)
    assert colours.shape == (2, 3, 3) and colours.dtype == torch.uint8
    assert tuple(colours[0, :, 0].tolist()) == GROUND == tuple(colours[1, :, 2].tolist())
    assert torch.equal(colours[0, :, 1], colours[1, :, 1])
    assert len({tuple(c) for c in coloured_maps(torch.arange(60)).tolist()}) == 60
