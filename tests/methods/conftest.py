"""The small methods are registered in these tests alone."""

import pytest
from small_methods import FOLDER

from ganlib.registry import add_plugins, algorithms, extensions


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in (algorithms, extensions):
        monkeypatch.setattr(registry, "entries", dict(registry.entries))
    add_plugins(FOLDER)
