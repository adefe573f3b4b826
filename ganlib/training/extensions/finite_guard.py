"""Stops a run whose losses are no longer numbers."""

from ganlib.training.trainer import Extension, Trainer, Trigger


class FiniteGuard(Extension):
    """Ask the device, at the trigger, whether every loss was finite; NonFiniteError ends the run if
    not.
    """

    name = "finite_guard"

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger

    def __call__(self, trainer: Trainer) -> None:
        trainer.updater.check_finite()

    def finalize(self, trainer: Trainer) -> None:
        trainer.updater.check_finite()
