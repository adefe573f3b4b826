"""Runs without a stop, for those that stop to be held against, and what steps are given."""

from typing import Any

import torch
from torch import Tensor

from ganlib.contract.test_contract import assert_same, copied

AFTER = 4
"""Iterations in which a run that goes on is compared."""


def straight_run(updater: Any, iterations: int) -> list[tuple[Any, Tensor]]:
    """Before each iteration the state, and two samples."""
    kept = []
    for _ in range(iterations):
        kept.append((copied(updater.state()), next(updater.sample(2, seed=0))))
        updater.update()
    return kept


def assert_goes_on(updater: Any, kept: list[tuple[Any, Tensor]], stop: int) -> None:
    """From the state before iteration `stop` on, the updater's states and samples are the same to
    the last bit.
    """
    updater.load_state(kept[stop][0])
    for state, samples in kept[stop : stop + AFTER]:
        assert torch.equal(next(updater.sample(2, seed=0)), samples)
        assert_same(updater.state(), state)
        updater.update()


def steps_of(updater: Any) -> dict[str, float]:
    """The losses that step() is given from now on, by their names, in their order."""
    taken: dict[str, float] = {}
    step = updater.step

    def watch(**losses: Tensor) -> None:
        taken.update({name: float(loss.detach()) for name, loss in losses.items()})
        step(**losses)

    updater.step = watch
    return taken
