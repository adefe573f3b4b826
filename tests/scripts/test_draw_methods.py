"""scripts/draw_methods.py: a row of samples for each method."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganlib
from ganlib.common.errors import UserError
from scripts.draw_methods import COLUMNS, HEIGHT, LABEL, below, draw

SMALL: dict[str, Any] = {
    "width": 0.05,
    "batch_size": 4,
    "max_iter": 6,
    "adam_alpha": 0.05,
    "gpu": -1,
    "sample_interval": 0,
    "evaluation_interval": 6,
    "evaluation_images": 100,
    "extractor": "fashion",
    "tensorboard": False,
}


def train(name: str, data: Path, seed: int, folder: Path) -> Any:
    out = folder / name / f"seed{seed}"
    return ganlib.train(algorithm=name, dataset=str(data), seed=seed, out=out, **SMALL)


def rows(folder: Path) -> set[bytes]:
    """The rows of samples of the picture."""
    picture = draw(folder)
    assert picture.height % HEIGHT == 0 and picture.width > LABEL + COLUMNS * 20
    pixels = np.asarray(picture.convert("L"))
    parts = np.split(pixels, picture.height // HEIGHT)
    assert all(part[:, :LABEL].min() < 128 for part in parts)  # something is written
    return {part[:, LABEL:].tobytes() for part in parts}


@pytest.mark.filterwarnings("ignore:.* too few for the")
def test_a_row_for_each_method_by_its_first_seed(toy_file: Path, tmp_path: Path) -> None:
    for name, seed in (("dcgan", 0), ("dcgan", 1), ("lsgan", 0)):
        train(name, toy_file, seed, tmp_path)
    both = rows(tmp_path)
    assert len(both) == 2
    shutil.rmtree(tmp_path / "dcgan" / "seed1")
    assert rows(tmp_path) == both
    train("dcgan", toy_file, 2, tmp_path)
    shutil.rmtree(tmp_path / "dcgan" / "seed0")
    assert len(rows(tmp_path) & both) == 1


def test_a_picture_goes_below_an_earlier_one(tmp_path: Path) -> None:
    earlier, picture = Image.new("RGB", (40, 20), "red"), Image.new("RGB", (50, 30), "blue")
    earlier.save(tmp_path / "earlier.png")
    pixels = np.asarray(below(tmp_path / "earlier.png", picture))
    assert pixels.shape == (50, 50, 3)
    assert (pixels[:20, :40] == (255, 0, 0)).all() and (pixels[20:] == (0, 0, 255)).all()
    assert (pixels[:20, 40:] == 255).all()
    with pytest.raises(UserError, match=r"none\.png is no picture"):
        below(tmp_path / "none.png", picture)


def test_runs_of_no_or_several_data_sets(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        draw(tmp_path)
