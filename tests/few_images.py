"""The first images of Fashion-MNIST for all of it, whose features take a core half a minute."""

from dataclasses import replace
from pathlib import Path

import torch

from ganlib.common.data import DataSet
from ganlib.common.datasets import fashion_mnist

_load = fashion_mnist.load


def load(root: Path, split: str, size: int | None) -> DataSet:
    """In the place of fashion_mnist.load."""
    data, first = _load(root, split, size), torch.arange(2000)
    assert data.y is not None
    return replace(data, x=data.x[first], y=data.y[first])


def use() -> None:
    """For all that this process does, a notebook's kernel for one."""
    fashion_mnist.load = load
