"""What CIFAR-10 and CIFAR-100 have in common."""

from pathlib import Path
from typing import Any

import torch

from ganlib.common.data import DataSet
from ganlib.common.datasets._stream import check_split
from ganlib.common.datasets._torchvision import Origin, read, to_tensor


def load_cifar(kind: Any, name: str, root: Path, split: str) -> DataSet:
    """One split of torchvision's class `kind` at 32x32."""
    check_split(split)
    origin = Origin(name, kind.url, (kind.filename,), root)
    data = read(lambda: kind(root, train=split == "train", download=True), origin)
    return DataSet(
        name,
        to_tensor(data.data.transpose(0, 3, 1, 2)),
        torch.tensor(data.targets),
        None,
        tuple(data.classes),
        {"source": kind.url},
    )
