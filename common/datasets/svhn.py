"""SVHN: 99,289 colour 32x32 house numbers in 10 classes, the digit in the middle."""

from pathlib import Path

import torch
from torchvision.datasets import SVHN

from ganlib.common.data import DataSet
from ganlib.common.formats.torchvision import Origin, read, to_tensor

DIGITS = tuple("0123456789")
FILES = tuple(file for _, file, _ in SVHN.split_list.values())


def load(root: Path, split: str, size: int | None) -> DataSet:
    """All images of one split at 32x32."""
    url, file, _ = SVHN.split_list[split]
    data = read(lambda: SVHN(root, split, download=True), Origin("svhn", url, (file,), root))
    labels = torch.from_numpy(data.labels).reshape(-1)
    return DataSet("svhn", to_tensor(data.data), labels, None, DIGITS, {"source": url})
