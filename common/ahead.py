"""Images read by other processes, in order, before they are asked for.

The processes are forked. A spawned one would import the user's script, which then has to guard its
first line, take seconds to start and hundreds of MB; a forked one shares all with this process and
touches nothing of it but the images, no GPU above all. Where forks are not safe (macOS) or there
are none (Windows), nothing is read ahead.

What they read they put into memory that is shared with this process and used again and again. To
send it would take new memory for every batch, and longer than reading it.
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
from itertools import chain
from math import prod
from mmap import mmap
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganlib.common.crops import Croppable
from ganlib.common.errors import UserError
from ganlib.common.spec import Images

WORKERS = 2 if sys.platform == "linux" else 0
MOST = 8  # of which a device that trains asks no more
AT_ONCE = 2**22  # bytes that a process reads before it puts them where they belong
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
    with readable():
        if places is not None and isinstance(images, Croppable):
            return images.crops(index, places)
        return images[index]


@contextmanager
def readable() -> Iterator[None]:
    """What goes wrong inside, where images are read, becomes a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # what other people's files and code raise is no fixed set
        reason = " ".join(str(error).split())
        raise UserError(f"Images could not be read: {type(error).__name__}: {reason}") from error


class Ahead:
    """Rows of all `images`, by name, in the order that `order` gives a part at a time: an index
    tensor (n,) and the places (n, 2) of crops for each name; all parts are of one length. kinds:
    the types of the images.

    UserError if images cannot be read, or if a process ended or stood still. `close()`, or to
    forget it, ends the processes.
    """

    def __init__(
        self,
        images: Mapping[str, Images],
        order: Iterator[Mapping[str, tuple[Tensor, Tensor]]],
        workers: int,
        kinds: Mapping[str, torch.dtype],
    ) -> None:
        self._over: dict[str, Tensor] = {}  # what is left of the last part
        first = next(order)
        slots = BATCHES * workers + 1  # what is read, and what was taken last
        self._slots = {
            name: _shared((slots, len(first[name][0]), *one.shape[1:]), kinds[name])
            for name, one in images.items()
        }
        parts = (
            (k % slots, {name: [t.numpy() for t in part[name]] for name in images})
            for k, part in enumerate(chain([first], order))
        )
        # of processes more than cores, and of forks beside threads (Python 3.12), it is warned
        with _signals_blocked(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loader: DataLoader[Any] = DataLoader(
                _Reader(images, self._slots),
                batch_size=None,
                sampler=parts,
                num_workers=workers,
                prefetch_factor=BATCHES,
                timeout=TIMEOUT,
                multiprocessing_context="fork",
                worker_init_fn=_obey_the_parent,
                generator=torch.Generator(),  # not the global one, on which training depends
            )
            self._parts: Iterator[Any] = iter(loader)
        # ended in good order before multiprocessing ends them as they are
        atexit.register(_close, weakref.ref(self))

    def take(self, n: int) -> dict[str, Tensor]:
        """The next n rows of all, whatever the length of a part; what is given may be overwritten
        when the next are taken.
        """
        if not self._over:
            self._over = self._next()
        if n <= _length(self._over):
            return self._first(n)
        result = {name: rows.new_empty(n, *rows.shape[1:]) for name, rows in self._over.items()}
        done = 0
        while done < n:
            self._over = self._over or self._next()
            part = self._first(n - done)
            for name, rows in part.items():
                result[name][done : done + len(rows)] = rows
            done += _length(part)
        return result

    def _first(self, n: int) -> dict[str, Tensor]:
        """Up to n rows of those that are left."""
        part, over = self._over, n < _length(self._over)
        self._over = {name: rows[n:] for name, rows in part.items()} if over else {}
        return {name: rows[:n] for name, rows in part.items()}

    def _next(self) -> dict[str, Tensor]:
        try:
            part: int | UserError = next(self._parts)
        except (RuntimeError, OSError, EOFError) as error:
            part = UserError(
                f"A process that reads images ended or stood still: {' '.join(str(error).split())}"
            )
        if isinstance(part, UserError):
            self.close()
            raise part
        return {name: slots[part] for name, slots in self._slots.items()}

    def close(self) -> None:
        """End the processes, also one that stands still."""
        self._parts = iter(())  # PyTorch ends its processes when nobody holds them any more


class _Reader(Dataset[Any]):
    """What a process does: puts rows of all images into a slot, and says which, or why not."""

    def __init__(self, images: Mapping[str, Images], slots: Mapping[str, Tensor]) -> None:
        self.images, self.slots = images, slots

    def __getitem__(self, part: Any) -> int | UserError:
        slot, drawn = part
        try:
            for name, images in self.images.items():
                _fill(self.slots[name][slot], images, *map(torch.from_numpy, drawn[name]))
        except UserError as error:  # raised here, it would reach the user with a traceback
            return UserError(*error.args)
        return int(slot)


def _fill(slot: Tensor, images: Images, index: Tensor, places: Tensor) -> None:
    """Some images at a time: what they are copied from then stays in the processor's cache."""
    some = max(1, AT_ONCE // (slot[0].nbytes or 1))
    rows = zip(*(torch.split(t, some) for t in (slot, index, places)), strict=True)
    for room, which, where in rows:
        room.copy_(read(images, which, where))


def _length(part: Mapping[str, Tensor]) -> int:
    return len(next(iter(part.values())))


def _shared(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor that forked processes have in common, without a name in /dev/shm, which is small in
    many containers.
    """
    memory = mmap(-1, max(1, prod(shape) * dtype.itemsize))
    return torch.frombuffer(memory, dtype=dtype, count=prod(shape)).view(shape)


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
