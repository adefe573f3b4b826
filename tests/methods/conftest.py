"""The small methods are registered in these tests alone."""

import pytest
from small_methods import FOLDER

from ganlib.registry import add_plugins, algorithms


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algorithms, "entries", dict(algorithms.entries))
    add_plugins(FOLDER)
