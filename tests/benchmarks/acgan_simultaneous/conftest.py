"""The record's method is registered in these tests; it leaves PyTorch one thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ganlib.registry import add_plugins


@pytest.fixture(autouse=True)
def registered(own_registry: None) -> Iterator[None]:
    add_plugins(Path(__file__).parents[3] / "benchmarks" / "records")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
