"""Images read by other processes, in order, before they are asked for.

The processes are forked. A spawned one would import the user's script, which then has to guard its
first line, take seconds to start and hundreds of MB; a forked one shares all with this process and
touches nothing of it but the images, no GPU above all. Where forks are not safe (macOS) or there
are none (Windows), nothing is read ahead.

What they read they put into memory that is shared with this process and used again and again. To
send it would take new memory for every batch, and longer than reading it.
"""

import os
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from math import prod
from mmap import mmap
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganlib.common.data.crops import read
from ganlib.common.data.spec import Images
from ganlib.common.errors import UserError

AT_ONCE = 2**22  # bytes that a process reads before it puts them where they belong
BATCHES = 2  # that each process is ahead
TIMEOUT = 120  # seconds without a batch, after which a process is given up
POLL = 5  # seconds between two looks of an idle process at whether its parent lives

Part = Mapping[str, tuple[Tensor, Tensor]]
"""Which images (n,) of each name, and the places (n, 2) of their crops."""


class Prefetcher:
    """Rows of all `images`, by name, in the order that `order` gives a part at a time, without end;
    all parts are of one length. kinds: the types of the images.

    UserError if images cannot be read, or if a process ended or stood still. `close()`, or to
    forget it, ends the processes.
    """

    def __init__(
        self,
        images: Mapping[str, Images],
        order: Iterator[Part],
        workers: int,
        kinds: Mapping[str, torch.dtype],
    ) -> None:
        self._order, self._asked, self._taken = order, 0, 0
        first = next(order)
        self._slots = [  # what is read, and what was taken last
            {name: _Slot.of(one, kinds[name], *first[name]) for name, one in images.items()}
            for _ in range(BATCHES * workers + 1)
        ]
        self._readers: list[_Reader] = []
        # before multiprocessing, as this process exits, waits for those that are left
        self._finalize = Finalize(self, _end, [self._readers], exitpriority=0)
        for _ in range(workers):
            self._readers.append(_Reader.start(images, self._slots))
        self._ask(first)
        while self._asked < BATCHES * workers:
            self._ask(next(order))

    def take(self) -> dict[str, Tensor]:
        """The rows of the next part, which may be overwritten when one more is taken."""
        reader = self._readers[self._taken % len(self._readers)]
        try:
            reader.await_answer()
            slot = self._slots[self._taken % len(self._slots)]
            self._taken += 1
            self._ask(next(self._order))
        except UserError:
            self.close()
            raise
        return {name: one.rows for name, one in slot.items()}

    def close(self) -> None:
        """End the processes, also one that stands still."""
        self._finalize()

    def _ask(self, part: Part) -> None:
        """Let the process whose turn it is read a part."""
        number = self._asked % len(self._slots)
        for name, slot in self._slots[number].items():
            slot.which.copy_(part[name][0])
            slot.where.copy_(part[name][1])
        with suppress(OSError):  # that a process has ended is noticed when it has to answer
            self._readers[self._asked % len(self._readers)].pipe.send(number)
        self._asked += 1


class _Slot(NamedTuple):
    """Memory of all processes: images of one part, and which they are."""

    rows: Tensor
    which: Tensor
    where: Tensor

    @classmethod
    def of(cls, images: Images, kind: torch.dtype, which: Tensor, where: Tensor) -> "_Slot":
        """Empty, for a part like this one."""
        rows = _shared((len(which), *images.shape[1:]), kind)
        return cls(rows, *(_shared(t.shape, t.dtype) for t in (which, where)))


Slots = Sequence[Mapping[str, _Slot]]


class _Reader(NamedTuple):
    """A process that fills slots, whose numbers it is told."""

    process: BaseProcess
    pipe: "Connection[Any, Any]"

    @classmethod
    def start(cls, images: Mapping[str, Images], slots: Slots) -> "_Reader":
        fork = get_context("fork")
        pipe, other = fork.Pipe()
        job = (os.getpid(), other, images, slots)
        process = fork.Process(target=_read_on, args=job, daemon=True)
        # Ctrl-C, SIGTERM and SIGHUP, which reach all processes of a terminal or a job, wait in the
        # reader for ever: training ends after its iteration, which needs images
        ends = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        try:
            with other, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of forks beside threads (Python 3.12)
                process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return cls(process, pipe)

    def await_answer(self) -> None:
        """Until the first slot that it was asked for is full; UserError if that fails."""
        if not self.pipe.poll(TIMEOUT):
            raise UserError(f"A process that reads images stood still for {TIMEOUT:g} seconds.")
        try:
            problem = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
            raise UserError(
                f"A process that reads images ended {how}. If memory is short, give fewer "
                "--workers."
            ) from None
        if problem is not None:
            raise UserError(problem)


def _read_on(
    parent: int, pipe: "Connection[Any, Any]", images: Mapping[str, Images], slots: Slots
) -> None:
    """What a process does for as long as its parent lives."""
    torch.set_num_threads(1)  # a fork has none of its parent's others, and would wait for them
    with suppress(EOFError, OSError):
        while os.getppid() == parent:
            if pipe.poll(POLL):
                pipe.send(_problem(images, slots[pipe.recv()]))


def _problem(images: Mapping[str, Images], slot: Mapping[str, _Slot]) -> str | None:
    """Why a slot cannot be filled; None once it is full."""
    try:
        for name, one in slot.items():
            # some images at a time: what they are copied from stays in the processor's cache
            some = max(1, AT_ONCE // (one.rows[0].nbytes or 1))
            for rows, which, where in zip(*(torch.split(t, some) for t in one), strict=True):
                rows.copy_(read(images[name], which, where))
    except UserError as error:  # raised here, it would reach the user with a traceback
        return str(error)
    return None


def _end(readers: Sequence[_Reader]) -> None:
    """By a signal that cannot be blocked; they leave nothing half done."""
    for process, _ in readers:
        process.kill()
    for process, pipe in readers:
        process.join()
        pipe.close()


def _shared(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor that forked processes have in common, without a name in /dev/shm, which is small in
    many containers.
    """
    memory = mmap(-1, max(1, prod(shape) * dtype.itemsize))
    return torch.frombuffer(memory, dtype=dtype, count=prod(shape)).view(shape)
