"""STL-10: 113,000 colour 96x96 photographs; labels (10 classes) only in the test split.

Its train split is what GANs are trained on, the 5,000 labelled and the 100,000 unlabelled images
together, without labels.
"""

from pathlib import Path

import torch
from torchvision.datasets import STL10

from ganlib.common.data import DataSet
from ganlib.common.formats.torchvision import Origin, read, to_tensor

FILES = (STL10.base_folder,)


def load(root: Path, split: str, size: int | None) -> DataSet:
    """All photographs of one split at 96x96."""
    origin = Origin("stl10", STL10.url, (STL10.filename,), root)
    part = "train+unlabeled" if split == "train" else "test"
    data = read(lambda: STL10(root, part, download=True), origin)
    x, provenance = to_tensor(data.data), {"source": STL10.url, "part": part}
    if split == "train":
        return DataSet("stl10", x, provenance=provenance)
    labels = torch.from_numpy(data.labels).long()
    return DataSet("stl10", x, labels, None, tuple(data.classes), provenance)
