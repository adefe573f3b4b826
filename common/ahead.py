"""Images read by other processes, in order, before they are asked for.

The processes are forked. A spawned one would import the user's script, which then has to guard its
first line, take seconds to start and hundreds of MB; a forked one shares all with this process and
touches nothing of it but the images, no GPU above all. Where forks are not safe (macOS) or there
are none (Windows), nothing is read ahead.
"""

import atexit
import os
import signal
import sys
import threading
import warnings
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganlib.common.crops import Croppable
from ganlib.common.errors import UserError
from ganlib.common.spec import Images

WORKERS = 2 if sys.platform == "linux" else 0
MOST = 8  # of which a device that trains asks no more
BATCHES = 2  # that each process is ahead, of the size that there was at its start
TIMEOUT = 120  # seconds without a batch, after which a process is given up


def readers(asked: int | None, cores: int) -> int:
    """How many processes read for one loader: as many as were asked for, by default one for each
    of the cores, up to MOST; none where forks are not safe.
    """
    wanted = min(MOST, cores) if asked is None else asked
    return wanted if WORKERS else 0


def read(images: Images, index: Tensor, places: Tensor | None = None) -> Tensor:
    """images[index], or their crops at these places (n, 2) if they are crops and places are given;
    UserError if they cannot be read.
    """
    try:
        if places is not None and isinstance(images, Croppable):
            return images.crops(index, places)
        return images[index]
    except UserError:
        raise
    except Exception as error:  # what other people's files and code raise is no fixed set
        reason = " ".join(str(error).split())
        raise UserError(f"Images could not be read: {type(error).__name__}: {reason}") from error


class Ahead:
    """Rows of all `images`, by name, in the order that `order` gives a part at a time: an index
    tensor (n,) and the places (n, 2) of crops for each name.

    With `pin`, they lie in pinned memory. UserError if images cannot be read, or if a process
    ended or stood still. `close()`, or to forget it, ends the processes.
    """

    def __init__(
        self,
        images: Mapping[str, Images],
        order: Iterator[Mapping[str, tuple[Tensor, Tensor]]],
        workers: int,
        pin: bool,
    ) -> None:
        self._over: dict[str, Tensor] = {}  # what is left of the last part
        parts = ({name: [t.numpy() for t in part[name]] for name in images} for part in order)
        # of processes more than cores, and of forks beside threads (Python 3.12), it is warned
        with _signals_blocked(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loader: DataLoader[Any] = DataLoader(
                _Reader(images),
                batch_size=None,
                sampler=parts,
                num_workers=workers,
                prefetch_factor=BATCHES,
                pin_memory=pin,
                timeout=TIMEOUT,
                multiprocessing_context="fork",
                worker_init_fn=_obey_the_parent,
                generator=torch.Generator(),  # not the global one, on which training depends
            )
            self._parts: Iterator[Any] = iter(loader)
        # ended in good order before multiprocessing ends them as they are
        atexit.register(_close, weakref.ref(self))

    def take(self, n: int) -> dict[str, Tensor]:
        """The next n rows of all, whatever the length of a part: one as it is if it has n."""
        taken: list[dict[str, Tensor]] = []
        while n:
            part = self._over or self._next()
            length = len(next(iter(part.values())))
            taken.append({name: rows[:n] for name, rows in part.items()})
            self._over = {name: rows[n:] for name, rows in part.items()} if n < length else {}
            n -= min(n, length)
        if len(taken) == 1:
            return taken[0]
        return {name: torch.cat([part[name] for part in taken]) for name in taken[0]}

    def _next(self) -> dict[str, Tensor]:
        try:
            part = next(self._parts)
        except (RuntimeError, OSError, EOFError) as error:
            part = UserError(
                f"A process that reads images ended or stood still: {' '.join(str(error).split())}"
            )
        if isinstance(part, UserError):
            self.close()
            raise part
        rows: dict[str, Tensor] = part
        return rows

    def close(self) -> None:
        """End the processes, also one that stands still."""
        self._parts = iter(())  # PyTorch ends its processes when nobody holds them any more


class _Reader(Dataset[Any]):
    """What a process reads: rows of all images, or the UserError that says why not."""

    def __init__(self, images: Mapping[str, Images]) -> None:
        self.images = images

    def __getitem__(self, part: Any) -> dict[str, Tensor] | UserError:
        drawn = {name: map(torch.from_numpy, arrays) for name, arrays in part.items()}
        try:
            return {name: read(images, *drawn[name]) for name, images in self.images.items()}
        except UserError as error:  # raised here, it would reach the user with a traceback
            return UserError(*error.args)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP wait, in a process that starts meanwhile for ever: they reach all
    processes of a terminal or a job, and training ends after its iteration, which needs images.
    """
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _obey_the_parent(worker: int) -> None:
    """A SIGTERM from the parent does end this process."""
    threading.Thread(target=_await_the_parent, daemon=True).start()


def _await_the_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def _close(ahead: "weakref.ref[Ahead]") -> None:
    alive = ahead()
    if alive is not None:
        alive.close()
