"""Every example config is a run that could start."""

from pathlib import Path

import pytest
import torch
from starting import source_shape

from ganlib.common.data import DataSpec
from ganlib.registry import algorithms
from ganlib.runs.grid import plan
from ganlib.runs.settings import read_yaml, resolve

FOLDER = Path(__file__).parents[1] / "example_configs"
GRIDS = [FOLDER / "fashion_mnist_cpu.yaml", FOLDER / "emoji_cpu.yaml"]
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


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_comparison_has_settings_for_every_method(path: Path) -> None:
    names = algorithms.names()
    planned = plan(",".join(names), None, {"config": path})
    assert [settings.run.algorithm for settings in planned] == names
    assert all(settings.run.preset == "quick" for settings in planned)
