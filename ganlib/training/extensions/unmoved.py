"""After the first iterations: what no step has moved so far."""

from collections.abc import Collection, Iterator

from rich.console import Console

from ganlib.common.io.console import say
from ganlib.training.samples.sampler import AVERAGES
from ganlib.training.trainer import Extension, Trainer

AFTER = 100  # iterations: what is done in every 16th or so had its turn
SHOWN = 3


class Unmoved(Extension):
    """Say once which networks and parameters had no gradient in any step: one that was forgotten
    trains without complaint.

    explained: names of parameters of which that is known.
    """

    name = "unmoved"

    def __init__(self, console: Console, explained: Collection[str] = ()) -> None:
        self.console, self.explained = console, explained

    def __call__(self, trainer: Trainer) -> None:
        last = min(AFTER, trainer.max_iter - trainer.first_iteration)
        if trainer.iteration - trainer.first_iteration == last:
            found = list(self._found(trainer))
            if found:
                say(self.console, f"No step has moved {', '.join(found)} so far.", "yellow")

    def _found(self, trainer: Trainer) -> Iterator[str]:
        updater = trainer.updater
        # a part of a network may wait for a phase or a stage that is to come, a whole one if that
        # was said; of a run that goes on a part may have moved in an earlier stage
        now, last = trainer.iteration - 1, trainer.max_iter - 1
        waits = updater.phase(last) != updater.phase(now) or updater.stage(last) != updater.current
        moved = updater.stage(0) != updater.stage(trainer.first_iteration)
        for network, module in updater.named_children():
            named = {f"{network}.{name}": p for name, p in module.named_parameters()}
            meant = [n for n, p in named.items() if p.requires_grad and n not in self.explained]
            still = [name for name in meant if id(named[name]) not in updater.steps.reached]
            if network in AVERAGES or not still or (waits and network in updater.later):
                continue
            if len(still) == len(meant):
                yield network
            elif not waits and not moved:
                yield _some(still)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
