"""The study's methods are registered in these tests alone."""

from pathlib import Path

import pytest

from ganlib.registry import add_plugins, algorithms


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algorithms, "entries", dict(algorithms.entries))
    add_plugins(Path(__file__).parents[3] / "benchmarks" / "lucic")
