"""CIFAR-10: 60,000 colour 32x32 photographs in 10 classes."""

from pathlib import Path

from torchvision.datasets import CIFAR10

from ganlib.common.data import DataSet
from ganlib.common.formats.torchvision import load_cifar

FILES = (CIFAR10.base_folder,)


def load(root: Path, split: str, size: int | None) -> DataSet:
    """All photographs of one split at 32x32."""
    return load_cifar(CIFAR10, "cifar10", root, split)
