"""An HDF5 file of ours, as written by `python -m ganlib data prepare`."""

from pathlib import Path

from ganlib.common.data import DataSet
from ganlib.common.hdf5 import read_hdf5


def load(root: Path, split: str, size: int | None) -> DataSet:
    """The images of one split at the size that they were written in; root is the file."""
    return read_hdf5(root, split)
