"""The log for TensorBoard."""

from collections.abc import Mapping

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from ganlib.training.trainer import Extension, Trainer


class TensorBoard(Extension):
    """Write every number of a new log line as a scalar, and every new picture, under
    tensorboard/.
    """

    name = "tensorboard"

    def __init__(self) -> None:
        self._writer: SummaryWriter | None = None
        self._line: Mapping[str, float | str] = {}  # what was written last

    def initialize(self, trainer: Trainer) -> None:
        # purge_step tells TensorBoard to forget what a resumed run will write again
        resumed = trainer.iteration + 1 if trainer.iteration else None
        self._writer = SummaryWriter(str(trainer.out / "tensorboard"), purge_step=resumed)
        self._write({}, trainer)

    def __call__(self, trainer: Trainer) -> None:
        new = trainer.line.get("iteration") == trainer.iteration
        self._write(trainer.line if new else {}, trainer)

    def finalize(self, trainer: Trainer) -> None:
        self._write(dict(trainer.line.items() - self._line.items()), trainer)

    def _write(self, line: Mapping[str, float | str], trainer: Trainer) -> None:
        self._line = line or self._line
        if self._writer is None or not (line or trainer.pictures):
            return
        for name, value in line.items():
            if not isinstance(value, str):
                self._writer.add_scalar(name, value, trainer.iteration)
        for name, picture in trainer.pictures.items():
            pixels = np.asarray(picture.convert("RGB"))
            self._writer.add_image(name, pixels, trainer.iteration, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
