"""The doctor of a run: figures of it in the log."""

from dataclasses import dataclass, field

from ganlib.common.data import DataSet
from ganlib.training.doctor.classes import classifier
from ganlib.training.doctor.figures import Figures
from ganlib.training.trainer import Extension, Trainer, Trigger

PREFIX = "doctor/"
"""What the names of its figures in the log begin with."""


@dataclass(eq=False, kw_only=True)
class Examine(Extension):
    """At the trigger add figures to the observation. dataset: its name; test: held-out images."""

    dataset: str
    test: DataSet | None
    trigger: Trigger
    figures: Figures | None = field(default=None, init=False)
    name = "examine"

    def __call__(self, trainer: Trainer) -> None:
        if self.figures is None:
            classify = classifier(trainer.updater, self.dataset)
            self.figures = Figures(trainer.updater, self.test, classify)
        numbers, _ = self.figures()
        trainer.observation.update({f"{PREFIX}{name}": x for name, x in numbers.items()})
