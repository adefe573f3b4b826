"""scripts/draw_growing.py: a film of a run's grids."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganlib
from ganlib.common.errors import UserError
from scripts.draw_growing import LAST, LINE, WIDTH, film

RUN: dict[str, Any] = {
    "algorithm": "progressive",
    "architecture": "quick",
    "width": 0.1,
    "batch_size": 4,
    "stage_images": 4,
    "last_images": 8,
    "gpu": -1,
    "sample_interval": 2,
    "display_interval": 1,
    "evaluation_interval": 0,
    "tensorboard": False,
}


def test_a_frame_for_each_grid_with_words_above(toy_file: Path, tmp_path: Path) -> None:
    ganlib.train(**RUN, dataset=str(toy_file), out=tmp_path / "run")
    frames = film(tmp_path / "run")
    iterations = [0, 2, 4, 6, 8]
    assert len(frames) == len(iterations) + LAST
    for picture, iteration in zip(frames, iterations, strict=False):
        assert picture.width == WIDTH
        words = np.asarray(picture)[:LINE]
        assert words.min() < 128 < words.max()
        with Image.open(tmp_path / f"run/samples/{iteration:07d}.png") as grid:
            half = np.asarray(grid.convert("L"), float)[: grid.height // 2]
        shown = np.asarray(picture.convert("L"), float)[LINE:]
        assert shown.mean() == pytest.approx(half.mean(), rel=0.02)
    for part in (slice(LINE), slice(LINE, None)):  # the last one stands
        assert len({np.asarray(f)[part].tobytes() for f in frames}) == len(iterations)


def test_a_folder_without_samples_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run with samples"):
        film(tmp_path)
