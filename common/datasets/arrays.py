"""An .npz or .npy file of images (N, H, W, C), with `labels` beside them in an .npz."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ganlib.common.arrays import open_array, open_labels
from ganlib.common.data import DataSet
from ganlib.common.datasets._memory import require_memory
from ganlib.common.datasets._stream import NoSuchSplit, check_split
from ganlib.common.given import as_dataset


def load(root: Path, split: str, size: int | None) -> DataSet:
    """The images at their own size, all of them for training, otherwise as given.as_dataset() takes
    arrays; root is the file.
    """
    check_split(split)
    if split == "test":
        raise NoSuchSplit(f"{root} has no test images, as all of it is for training.")
    images = open_array(root)
    require_memory(root.name, images.nbytes)
    images = np.require(images, requirements="W")  # an .npy is only looked into so far
    labels = open_labels(root, len(images))
    data = as_dataset(images if labels is None else (images, labels))
    return replace(data, name=root.stem, provenance={"file": str(root.resolve())})
