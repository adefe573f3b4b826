"""Data sets by name or by path."""

from pathlib import Path

from ganlib.common.data import DataSet
from ganlib.common.query import DataQuery, datasets

__all__ = ["datasets", "open_dataset"]


def open_dataset(
    name: str,
    root: Path | None = None,
    split: str = "train",
    size: int | None = None,
    crop: int | None = None,
    source: str | None = None,
    hold_out: float = 0.0,
) -> DataSet:
    """One split ("train" or "test") of a registered data set, an image folder or a file; see
    DataQuery. UserError if there is no such thing.
    """
    return DataQuery(name, root, split, size, crop, source, hold_out).open()
