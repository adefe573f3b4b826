"""ring8: 60,000 made points in 8 Gaussians on a circle, to count the modes that a method finds."""

import math
from pathlib import Path

import torch

from ganlib.common.data import DataSet
from ganlib.common.synthetic.mixture import load_mixture

RADIUS = 0.7
LICENSE = "None is needed: the points are made by a formula."


def load(root: Path, split: str, size: int | None) -> DataSet:
    """The points of one split as images (2, 1, 1); root is not looked at."""
    angle = torch.arange(8, dtype=torch.float64) * (math.tau / 8)
    centres = RADIUS * torch.stack((angle.cos(), angle.sin()), 1)
    return load_mixture("ring8", centres, split, size)
