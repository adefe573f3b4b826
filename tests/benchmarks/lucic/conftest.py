"""The study's methods are registered in these tests."""

from pathlib import Path

import pytest

from ganlib.registry import add_plugins


@pytest.fixture(autouse=True)
def registered(own_registry: None) -> None:
    add_plugins(Path(__file__).parents[3] / "benchmarks" / "lucic")
