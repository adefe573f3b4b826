"""grid25: 60,000 made points in 25 Gaussians on a grid, to count the modes that a method finds."""

from pathlib import Path

import torch

from ganlib.common.data import DataSet
from ganlib.common.synthetic.mixture import load_mixture

SIDE = 0.7
LICENSE = "None is needed: the points are made by a formula."


def load(root: Path, split: str, size: int | None) -> DataSet:
    """The points of one split as images (2, 1, 1); root is not looked at."""
    places = torch.linspace(-SIDE, SIDE, 5, dtype=torch.float64)
    return load_mixture("grid25", torch.cartesian_prod(places, places), split, size)
