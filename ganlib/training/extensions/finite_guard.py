"""Stops a run whose losses are no longer numbers."""

from ganlib.training.snapshot import list_snapshots
from ganlib.training.trainer import Extension, Trainer, Trigger
from ganlib.training.update.guard import NonFiniteError


class FiniteGuard(Extension):
    """Ask the device, at the trigger, whether every loss was finite; NonFiniteError, which names
    the last good snapshot if there is one, ends the run if not.
    """

    name = "finite_guard"

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger

    def __call__(self, trainer: Trainer) -> None:
        try:
            trainer.updater.check_finite()
        except NonFiniteError as error:
            good = list_snapshots(trainer.out / "snapshots")
            kept = f"; the last good snapshot is {good[-1]}." if good else "."
            raise NonFiniteError(str(error).removesuffix(".") + kept) from None

    def finalize(self, trainer: Trainer) -> None:
        self(trainer)
