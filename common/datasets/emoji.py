"""Emoji: 3,729 colour 64x64 pictures on white in 9 groups; comes with ganlib."""

from pathlib import Path

from ganlib.common.data import DataSet
from ganlib.common.formats.hdf5 import read_hdf5

LICENSE = (
    "Noto Emoji: Apache-2.0, Google Inc. and contributors; "
    "Twemoji: CC BY 4.0, Twitter, Inc and other contributors"
)
BUNDLED = Path(__file__).parent / "bundled" / "emoji.h5"


def load(root: Path, split: str, size: int | None) -> DataSet:
    """All images of one split at 64x64; root is not looked at."""
    return read_hdf5(BUNDLED, split)
