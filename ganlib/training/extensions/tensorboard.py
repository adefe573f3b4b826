"""The log for TensorBoard."""

from torch.utils.tensorboard import SummaryWriter

from ganlib.training.trainer import Extension, Trainer, Trigger


class TensorBoard(Extension):
    """Write every number of a new log line as a scalar under tensorboard/."""

    name = "tensorboard"

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self._writer: SummaryWriter | None = None

    def initialize(self, trainer: Trainer) -> None:
        # purge_step tells TensorBoard to forget what a resumed run will write again
        resumed = trainer.iteration + 1 if trainer.iteration else None
        self._writer = SummaryWriter(str(trainer.out / "tensorboard"), purge_step=resumed)

    def __call__(self, trainer: Trainer) -> None:
        assert self._writer is not None
        for name, value in trainer.line.items():
            self._writer.add_scalar(name, value, trainer.iteration)
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
