"""Every example config is a run that could start."""

from pathlib import Path

import pytest
import torch

from common.data import DataSpec
from ganlib.config import read_yaml, resolve
from ganlib.registry import algorithms

EXAMPLES = sorted((Path(__file__).parents[1] / "example_configs").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path) -> None:
    settings = resolve(read_yaml(path))
    size = settings.algorithm.image_size(32, 32)
    with torch.device("meta"):
        networks = algorithms[settings.run.algorithm].build(
            settings.algorithm, DataSpec((3, *size), (3, *size))
        )
    assert "gen" in networks
