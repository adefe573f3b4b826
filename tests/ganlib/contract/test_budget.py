"""What the contract trains is small, or a suite of many methods would take too long."""

from collections.abc import Callable
from typing import Any

from ganlib.speed.bench import Flops

FLOPS, CALLS = 4 * 10**9, 8000
"""Of an update at most; the dearest methods come near to them."""


def test_an_update_is_small(algorithm: str, make_updater: Callable[..., Any]) -> None:
    with Flops() as work:
        make_updater(algorithm).update()
    assert work.total < FLOPS, "make the networks smaller of Algorithm(small=...)"
    assert work.calls < CALLS, "make the update shorter of Algorithm(small=...)"
