"""wardrobe_wide: 60,000 made canvases twice as wide as high, 128x64 unless asked, with clothes.

Those of wardrobe, but for the proportion, which is that of street scenes; size is the height.
"""

from pathlib import Path

from ganlib.common.data import DataSet
from ganlib.common.datasets import wardrobe
from ganlib.common.formats.blocks import DEFAULT_SIZE

ASPECT = 2
LICENSE = wardrobe.LICENSE


def load(root: Path, split: str, size: int | None) -> DataSet:
    """One split, as wardrobe has it; root is not looked at."""
    return wardrobe.canvases("wardrobe_wide", split, size or DEFAULT_SIZE, ASPECT)
