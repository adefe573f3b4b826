"""Pictures with a row for each class."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganlib.common.pictures import class_grid, grid


def images(n: int, side: int = 28) -> torch.Tensor:
    return torch.rand(n, 1, side, side, generator=torch.Generator().manual_seed(n)) * 2 - 1


def margin(picture: Image.Image, rows: list[tuple[str, torch.Tensor]]) -> Image.Image:
    """What is left of the images, which are all there and in their rows."""
    blocks = [grid(x) for _, x in rows]
    left, top = picture.width - max(block.width for block in blocks), 0
    for block in blocks:
        place = (left, top, left + block.width, top + block.height)
        assert picture.crop(place).tobytes() == block.tobytes()
        top += block.height
    assert top == picture.height
    return picture.crop((0, 0, left, picture.height))


def dark(picture: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is written in it."""
    ys, xs = np.nonzero(np.asarray(picture.convert("L")) < 128)
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


def test_a_row_has_its_name_before_it_and_large_enough() -> None:
    rows = [("Sandal", images(8)), ("T-shirt/top", images(7)), ("Bag", images(3))]
    names = margin(class_grid(rows), rows)
    height = names.height // 3
    found = [dark(names.crop((0, k * height, names.width, (k + 1) * height))) for k in range(3)]
    for left, top, right, bottom in found:
        assert 0 < left and right < names.width - 2
        assert bottom - top >= 9
        assert abs((top + bottom) / 2 - height / 2) < 6  # in the middle of the row
    widths = [right - left for left, _, right, _ in found]
    assert widths[1] > widths[0] > widths[2] > 15


def test_many_images_of_a_class_have_several_rows() -> None:
    rows = [("a", images(20)), ("b", images(19))]
    names = margin(class_grid(rows), rows)
    assert dark(names.crop((0, 0, names.width, names.height // 2)))[3] < 88  # beside the first
    wide = [("a", images(100)), ("b", images(100))]
    assert class_grid(wide).width > 14 * 88  # 15 columns of 200


def test_letters_grow_with_the_images_and_long_names_are_cut() -> None:
    small, large = (
        dark(margin(class_grid(r), r)) for r in ([("A", images(1, s))] for s in (8, 256))
    )
    assert large[3] - large[1] > 2 * (small[3] - small[1])
    short, long = ([(name, images(2))] for name in ("m" * 8, "m\n" * 200))
    assert class_grid(short).width < class_grid(long).width < 2 * 88 + 13 * 14


@pytest.mark.parametrize("name", ["", "Ä", "靴"])
def test_any_name_can_be_written(name: str) -> None:
    assert class_grid([(name, images(1))]).height == grid(images(1)).height
