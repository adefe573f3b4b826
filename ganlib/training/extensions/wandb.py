"""The run for Weights & Biases; without a network, WANDB_MODE=offline, for `wandb sync`."""

import os
from collections.abc import Mapping
from uuid import uuid4

from PIL.Image import Image

from ganlib.training.extensions.reports import PROJECT, Tracker, title
from ganlib.training.trainer import Trainer


class Wandb(Tracker):
    """In the project WANDB_PROJECT, by default ganlib."""

    name = package = "wandb"

    def open(self, trainer: Trainer, record: str | None) -> str:
        record = record or uuid4().hex[:16]
        self._run = self.client.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=record,
            resume="allow",
            name=title(trainer.out),
            config=self.settings,
            allow_val_change=True,  # of a run that goes on for longer
            reinit="create_new",  # beside a run of somebody's own
            settings=self.client.Settings(console="off"),  # a bar is drawn ten times a second
        )
        return record

    def numbers(self, values: Mapping[str, float], iteration: int) -> None:
        self._run.log(dict(values), step=iteration)

    def text(self, name: str, text: str, iteration: int) -> None:
        self._run.log({name: text}, step=iteration)

    def picture(self, name: str, picture: Image, iteration: int) -> None:
        self._run.log({name: self.client.Image(picture)}, step=iteration)

    def end(self, whole: bool) -> None:
        self._run.finish(exit_code=0 if whole else 1)


make = Wandb
