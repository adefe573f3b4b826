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


def test_a_picture_goes_below_rows_of_an_earlier_one(tmp_path: Path) -> None:
    colours = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255)}
    earlier = Image.new("RGB", (40, 3 * HEIGHT))
    for k, colour in enumerate(colours):
        earlier.paste(colour, (0, k * HEIGHT, 40, (k + 1) * HEIGHT))
    earlier.save(tmp_path / "earlier.png")
    picture = below(tmp_path / "earlier.png", Image.new("RGB", (50, 30)), {1})
    red, blue, new = np.split(np.asarray(picture), [HEIGHT, 2 * HEIGHT])
    assert (red[:, :40] == colours["red"]).all() and (blue[:, :40] == colours["blue"]).all()
    assert (red[:, 40:] == 255).all() and new.shape == (30, 50, 3) and not new.any()
    with pytest.raises(UserError, match=r"none\.png is no picture"):
        below(tmp_path / "none.png", picture)


def test_runs_of_no_or_several_data_sets(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        draw(tmp_path)
