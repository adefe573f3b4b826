"""What can go wrong while a run trains, as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager

from ganlib.common.errors import StoppedError, UserError
from ganlib.training.device.devices import is_out_of_memory
from ganlib.training.trainer import Trainer


@contextmanager
def told(trainer: Trainer, batch_size: int) -> Iterator[None]:
    """UserError, or StoppedError once there was an iteration, for a disk that takes no more and a
    memory that does not suffice.
    """
    try:
        yield
    except OSError as error:
        raise _unwritable(trainer, error) from None
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"Out of memory with batches of {batch_size} images: {_advice(batch_size)}."
        ) from None


def _unwritable(trainer: Trainer, error: OSError) -> Exception:
    # the images are read elsewhere, so it was written to
    words = f"{trainer.out} cannot be written to: {error.strerror or error}."
    if trainer.iteration == trainer.first_iteration:
        return UserError(words)
    return StoppedError(
        f"{words} Training ended after iteration {trainer.iteration}; --resume auto goes on from "
        "the last snapshot."
    )


def _advice(batch_size: int) -> str:
    if batch_size > 1:
        return f"try --accumulate 2 or --batch-size {batch_size // 2}"
    return "try smaller networks (--width 0.5)"
