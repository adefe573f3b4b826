"""Sequences as files, common/pictures.py; images are tested where the command writes them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganlib.common.pictures import write_folder, write_grid

X = torch.linspace(-1, 1, 4 * 6 * 5 * 3).reshape(4, 6, 5, 3)  # of two colour pictures each


def test_the_frames_of_a_sequence_lie_below_each_other(tmp_path: Path) -> None:
    write_folder(iter(X.split(3)), 4, tmp_path / "many", frames=2)
    files = sorted((tmp_path / "many").iterdir())
    assert len(files) == 4
    by_hand = np.concatenate([X[2, :3], X[2, 3:]], 1).transpose(1, 2, 0)
    with Image.open(files[2]) as picture:
        np.testing.assert_array_equal(picture, np.round((by_hand + 1) * 127.5).astype(np.uint8))


def test_a_grid_has_a_row_for_each_sequence(tmp_path: Path) -> None:
    write_grid(iter([X]), 4, tmp_path / "g.png", frames=2)
    with Image.open(tmp_path / "g.png") as rows:
        width, height = rows.size
    assert height > width  # four rows of two, and not one of four
