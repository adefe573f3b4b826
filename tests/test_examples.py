"""Every example config is a run that could start."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from starting import source_shape

from ganlib.common.data import DataSpec
from ganlib.common.query import open_dataset
from ganlib.registry import algorithms
from ganlib.runs.grid import plan
from ganlib.runs.settings import read_yaml, resolve

FOLDER = Path(__file__).parents[1] / "example_configs"
GRIDS = [FOLDER / f"{name}_cpu.yaml" for name in ("fashion_mnist", "emoji", "few_images")]
EXAMPLES = sorted(set(FOLDER.glob("*.yaml")) - set(GRIDS))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path) -> None:
    settings = resolve(read_yaml(path))
    image = (3, *settings.algorithm.image_size(32, 32))
    source = source_shape(settings.run.algorithm, image)
    if source is not None:  # actions lie on more channels
        source = (source[0] + getattr(settings.algorithm, "actions", 0), *source[1:])
    with torch.device("meta"):
        networks = algorithms[settings.run.algorithm].build(
            settings.algorithm, DataSpec(image, image, n_classes=10, source=source)
        )
    assert "gen" in networks


@pytest.mark.parametrize("size", ["1024x512", "2048x1024"])
def test_cityscapes_is_read_at_the_size_of_the_name(size: str, tmp_path: Path) -> None:
    """A photograph and its maps, in small, as the run opens them."""
    run = resolve(read_yaml(FOLDER / f"pix2pixhd_cityscapes_{size}.yaml")).run
    for kind, end in (
        ("leftImg8bit", "leftImg8bit"),
        ("gtFine", "gtFine_labelIds"),
        ("gtFine", "gtFine_instanceIds"),
    ):
        place = tmp_path / kind / "train" / "ulm"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (32, 16), 7).save(place / f"ulm_0_{end}.png")
    data = open_dataset(run.dataset, tmp_path, "train", run.size, run.crop, run.source)
    width, height = map(int, size.split("x"))
    assert data.shape == (3, height, width)
    assert data.source is not None and data.source.shape == (1, 2, height, width)


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_comparison_has_settings_for_every_method(path: Path) -> None:
    names = algorithms.names()
    planned = plan(",".join(names), None, {"config": path})
    assert [settings.run.algorithm for settings in planned] == names
    assert all(settings.run.preset == "quick" for settings in planned)
