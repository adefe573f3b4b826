"""What these tests register is registered in them alone."""

import pytest

from ganlib.registry import algorithms


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algorithms, "entries", dict(algorithms.entries))
