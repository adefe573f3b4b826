"""After the first iterations: how fast the run is, when it will be done, and how much it will
write.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from torch import Tensor

from ganlib.common.console import say
from ganlib.training.devices import synchronize
from ganlib.training.trainer import Extension, Trainer

CENTURY = 3_155_760_000  # seconds; beyond a few of them the calendar ends
AFTER = 20  # iterations; the first half is left out, it warms up


class Announce(Extension):
    """Say the rate, the time of the end and the size of a snapshot, once."""

    name = "announce"

    def __init__(self, console: Console) -> None:
        self.console = console
        self._start = 0.0

    def __call__(self, trainer: Trainer) -> None:
        done = trainer.iteration - trainer.first_iteration
        if done in (AFTER // 2, AFTER):
            synchronize(trainer.updater.clock.device)
        if done == AFTER // 2:
            self._start = time.monotonic()
        if done == AFTER:
            seconds = (time.monotonic() - self._start) / (AFTER - AFTER // 2)
            say(self.console, self._sentence(trainer, seconds))

    def _sentence(self, trainer: Trainer, seconds: float) -> str:
        left = timedelta(
            seconds=min(CENTURY, round(seconds * (trainer.max_iter - trainer.iteration)))
        )
        end = (datetime.now() + left).strftime("%Y-%m-%d %H:%M")
        return (
            f"{1 / seconds:.3g} iterations/s: done in {left}, at {end}. "
            f"A snapshot weighs {_bytes(trainer.state()) / 1e6:.3g} MB."
        )


def _bytes(state: Any) -> int:
    """The size of all tensors in nested dicts and lists."""
    if isinstance(state, Tensor):
        return state.nbytes
    parts = (
        state.values() if isinstance(state, Mapping) else state if isinstance(state, list) else []
    )
    return sum(_bytes(part) for part in parts)
