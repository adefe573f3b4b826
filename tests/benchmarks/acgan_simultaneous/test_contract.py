"""What every algorithm promises, this one promises too."""

import pytest

from ganlib.contract.test_contract import *  # noqa: F403
from ganlib.registry import algorithms

NAME = "acgan_simultaneous"
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("algorithm", [NAME])]


@pytest.fixture(autouse=True)
def as_a_card_captures(
    request: pytest.FixtureRequest, registered: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A capture is on one thread, as it is on a card."""
    if "captured" in request.node.name:
        monkeypatch.setattr(algorithms[NAME].updater, "beside_on", set())
