"""The log for TensorBoard."""

from collections.abc import Mapping
from typing import Any

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
        self._line: Mapping[str, Any] = {}  # what was written last

    def initialize(self, trainer: Trainer) -> None:
        # purge_step tells TensorBoard to forget what a resumed run will write again
        resumed = trainer.iteration + 1 if trainer.iteration else None
        self._writer = SummaryWriter(str(trainer.out / "tensorboard"), purge_step=resumed)
        self._line = trainer.line
        self(trainer)

    def __call__(self, trainer: Trainer) -> None:
        line, before, self._line = trainer.line, self._line, trainer.line
        if line.get("iteration") == before.get("iteration"):  # what was observed late joins a line
            line = dict(line.items() - before.items())
        if self._writer is None or not (line or trainer.pictures):
            return
        for name, value in line.items():
            if not isinstance(value, str):
                self._writer.add_scalar(name, value, self._line["iteration"])
        for name, picture in trainer.pictures.items():
            pixels = np.asarray(picture.convert("RGB"))
            self._writer.add_image(name, pixels, trainer.iteration, dataformats="HWC")
        self._writer.flush()

    def finalize(self, trainer: Trainer) -> None:
        self(trainer)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def make(settings: Mapping[str, Any]) -> Extension:
    """The extension that a run with these settings has; it reads none."""
    return TensorBoard()
