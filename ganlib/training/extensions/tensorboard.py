"""The log for TensorBoard, in tensorboard/ of the run's folder."""

from collections.abc import Mapping

import numpy as np
from PIL.Image import Image

from ganlib.training.extensions.reports import Tracker
from ganlib.training.trainer import Trainer


class TensorBoard(Tracker):
    """Numbers as scalars, protocols and settings as texts."""

    name, package = "tensorboard", "torch.utils.tensorboard"

    def open(self, trainer: Trainer, record: str | None) -> None:
        # purge_step tells TensorBoard to forget what a resumed run will write again
        resumed = trainer.iteration + 1 if trainer.iteration else None
        place = str(trainer.out / "tensorboard")
        self._writer = self.client.SummaryWriter(place, purge_step=resumed)
        rows = "\n".join(f"{name} | {value}" for name, value in self.settings.items())
        self.text("settings", f"name | value\n--- | ---\n{rows}", trainer.iteration)

    def numbers(self, values: Mapping[str, float], iteration: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, iteration)
        self._writer.flush()

    def text(self, name: str, text: str, iteration: int) -> None:
        self._writer.add_text(name, text, iteration)
        self._writer.flush()

    def picture(self, name: str, picture: Image, iteration: int) -> None:
        self._writer.add_image(
            name, np.asarray(picture.convert("RGB")), iteration, dataformats="HWC"
        )
        self._writer.flush()

    def end(self, whole: bool) -> None:
        self._writer.close()


make = TensorBoard
