"""After the first iterations: how fast the run is, when it will be done, and how much it will
write.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from torch import Tensor

from ganlib.common.io.console import say
from ganlib.training.device.devices import synchronize
from ganlib.training.trainer import Extension, Trainer

CENTURY = 3_155_760_000  # seconds; beyond a few of them the calendar ends
AFTER = 20  # iterations; the first half is left out, it warms up
PATIENCE = 5.0  # seconds after which slow iterations have shown their rate
LONG = 3 * 3600.0  # seconds that a run takes before another way is named


class Announce(Extension):
    """Say the rate, the time of the end and the size of a snapshot, once; where there are several
    stages, the first one's rate.

    hint: said too where the run will take very long.
    """

    name = "announce"

    def __init__(self, console: Console, hint: str = "") -> None:
        self.console, self.hint = console, hint
        self._start, self._first = 0.0, -1  # when the iterations that are timed begin; which is it
        self._said = False

    def __call__(self, trainer: Trainer) -> None:
        if self._said:
            return
        done = trainer.iteration - trainer.first_iteration
        if done in (1, AFTER // 2, AFTER):
            synchronize(trainer.updater.clock.device)
        if done in (1, AFTER // 2):
            self._start, self._first = time.monotonic(), done
        seconds = time.monotonic() - self._start
        if done > self._first and (done >= AFTER or seconds > PATIENCE):
            self._said = True
            say(self.console, self._sentence(trainer, seconds / (done - self._first)))

    def _sentence(self, trainer: Trainer, seconds: float) -> str:
        rest = min(CENTURY, round(trainer.seconds_left(1 / seconds)))
        left, hint = timedelta(seconds=rest), f" {self.hint}" if rest > LONG and self.hint else ""
        end = (datetime.now() + left).strftime("%Y-%m-%d %H:%M")
        when = f": done in {left}, at {end}"
        if trainer.stage:  # of which others take longer, or less long
            when = f" at {trainer.stage}; other stages have rates of their own"
        return (
            f"{1 / seconds:.3g} iterations/s{when}. "
            f"A snapshot weighs {_bytes(trainer.state()) / 1e6:.3g} MB.{hint}"
        )


def _bytes(state: Any) -> int:
    """The size of all tensors in nested dicts and lists."""
    if isinstance(state, Tensor):
        return state.nbytes
    parts = (
        state.values() if isinstance(state, Mapping) else state if isinstance(state, list) else []
    )
    return sum(_bytes(part) for part in parts)
