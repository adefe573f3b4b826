"""Several processes that train one generator: who this is, averages and agreements.

The only file of the machine that knows torch.distributed. Everything here does nothing, or gives
its argument back, in a process that is alone.
"""

import atexit
import hashlib
import importlib
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from ganlib.common.errors import StoppedError, UserError, one_line

T = TypeVar("T")
_turns = itertools.count()
PATIENCE = timedelta(minutes=10)  # for a rank that compiles alone, and for one that is lost
POLL = 0.2  # seconds
BEAT = 1.0  # seconds, after which a rank shows again that it lives
SILENT = 20
"""Beats without news of a rank, or of the store, after which it is lost: fewer than 30 seconds, and
beats of who waits, since a machine that is busy keeps both from theirs.
"""
LEFT = b"left"  # in place of a beat, once a rank has ended well
LOST = (
    "Another process of this job has ended; its own message says why. --resume auto goes on from "
    "the last snapshot."
)
REACHED = timedelta(seconds=20)  # within which torchrun's store answers, if torchrun still lives


def launched() -> bool:
    """Whether torchrun, or something that sets its variables, started this process as one of
    several.
    """
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def local_rank() -> int:
    """The number of this process on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_count() -> int:
    """How many processes share this machine's cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def start(device: torch.device, meeting: str = "env://") -> None:
    """Join the other processes, which meet as `meeting` says (an address of torch.distributed's):
    NCCL between GPUs, gloo between CPUs. The group is left when the process ends, or by `stop`.
    """
    if not launched() or dist.is_initialized():
        return
    # A part of torch that the first optimizer step imports takes the group of that moment for the
    # default of its functions. It would never be freed, and a thread of it that is awake while the
    # interpreter ends aborts the process.
    importlib.import_module("torch.distributed.nn.functional")
    # a group that is still there when the interpreter ends may abort the process
    atexit.register(stop)
    backend = "nccl" if device.type == "cuda" else "gloo"
    own = device if device.type == "cuda" else None
    try:
        dist.init_process_group(
            backend,
            init_method=meeting,
            rank=int(os.environ["RANK"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            timeout=PATIENCE,
            device_id=own,
        )
    except (RuntimeError, ValueError) as error:
        reason = one_line(error, 200)
        raise UserError(f"The processes could not join ({backend}): {reason}") from None


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Together with the other processes, as of `start`; StoppedError if one of them is lost. Where
    this one waits for that rank in a captured message, and no Python runs, it ends with status 1
    and the same sentence.
    """
    start(device)
    over, well = threading.Event(), threading.Event()
    watch = threading.Thread(target=_watch, args=(over, well), daemon=True)
    if count() > 1:
        watch.start()
    try:
        yield
        well.set()
    except RuntimeError as error:
        if count() == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        raise StoppedError(LOST) from None
    finally:
        over.set()
        if count() > 1:
            watch.join(BEAT)


def _watch(over: threading.Event, well: threading.Event) -> None:
    """Show that this rank lives, and end the process once the one before it, in a ring, does not,
    or the store is gone; who has found a rank lost tells all. A rank that has ended `well` is not
    missed.
    """
    shared: Any = dist.distributed_c10d._get_default_store()
    store = shared.clone()  # at the other a rank may wait
    before, mine = (f"alive/{number % count()}" for number in (rank() - 1, rank()))
    last, silent = b"", 0
    for beat in itertools.count():
        news, lost = b"", False
        unanswered = threading.Timer(SILENT * BEAT, _end)  # whose machine is lost says nothing
        unanswered.daemon = True
        unanswered.start()
        with suppress(RuntimeError):  # of a store whose process is gone
            store.set(mine, str(beat))
            lost = store.check(["lost"])
            news = store.get(before) if store.check([before]) else b""
        unanswered.cancel()
        silent = 0 if news not in (b"", last) or news == LEFT else silent + 1
        last = news or last
        if lost or silent > SILENT:
            with suppress(RuntimeError):
                store.set("lost", str(rank()))
            _end()
        if over.wait(BEAT):
            break
    if well.is_set():
        with suppress(RuntimeError):
            store.set(mine, LEFT)


def _end() -> None:
    print(f"Stopped on rank {rank()}: {LOST}", file=sys.stderr, flush=True)
    os._exit(1)


def stop() -> None:
    """Leave the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def first_to_say(words: str) -> bool:
    """Whether no other process of this job has said these words: the first that comes says what all
    have to say. Before any group of processes is joined they share what torchrun keeps for them;
    without it each says its own.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return True
    from torch.distributed.rendezvous import rendezvous  # which not every build has

    try:
        store, *_ = next(rendezvous("env://", timeout=REACHED))
        return bool(store.add(f"said/{hashlib.sha256(words.encode()).hexdigest()}", 1) == 1)
    except (RuntimeError, ValueError):
        return True


def rank() -> int:
    """The number of this process, 0 for the one that writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@torch.no_grad()
def mean_(tensors: Sequence[Tensor]) -> None:
    """Replace each floating tensor by its mean over the ranks, with one message per dtype."""
    if count() == 1:
        return
    for dtype in dict.fromkeys(t.dtype for t in tensors):
        group = [t for t in tensors if t.dtype == dtype]
        flat = torch.cat([t.reshape(-1) for t in group])
        dist.all_reduce(flat)
        flat /= count()
        parts = torch.split(flat, [t.numel() for t in group])
        torch._foreach_copy_(group, [p.view_as(t) for p, t in zip(parts, group, strict=True)])


@torch.no_grad()
def gather(x: Tensor) -> Tensor:
    """The rows (n, ...) of all ranks, one rank's after the other's, (n * count(), ...)."""
    if count() == 1:
        return x
    x = x.contiguous()
    parts = [torch.empty_like(x) for _ in range(count())]
    dist.all_gather(parts, x)
    return torch.cat(parts)


@torch.no_grad()
def broadcast_(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by rank 0's."""
    if count() > 1:
        for tensor in tensors:
            whole = tensor.contiguous()
            dist.broadcast(whole, 0)
            tensor.copy_(whole)


def from_first(value: T) -> T:
    """Rank 0's value of something small and plain, on every rank."""
    if count() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, 0)
    return box[0]


class Agreement:
    """What all ranks do next, told through the store that they share: no GPU is waited for."""

    def __init__(self) -> None:
        self._name, self._calls = f"agreement/{next(_turns)}", itertools.count()

    def __call__(self, word: str, then: int) -> tuple[str, int]:
        """The first word that a rank has said, "" if none has, which may be heard a call later; and
        rank 0's `then`.
        """
        if count() == 1:
            return word, then
        store = dist.distributed_c10d._get_default_store()
        said, told = f"{self._name}/word", f"{self._name}/{next(self._calls)}"
        if word:
            store.compare_set(said, "", word)
        if rank() == 0:
            heard = store.get(said).decode() if store.check([said]) else ""
            store.set(told, json.dumps((heard, then)))
        heard, then = json.loads(store.get(told))
        if store.add(f"{told}/read", 1) == count():
            store.delete_key(told)
            store.delete_key(f"{told}/read")
        return heard, then


@contextmanager
def first_alone() -> Iterator[None]:
    """Rank 0 does what is in this context, then the others: they find what it has put on disk, and
    what it could not do they try too. They wait as long as it lives: a download may take hours.
    """
    if count() == 1:
        yield
        return
    store, word = dist.distributed_c10d._get_default_store(), f"alone/{next(_turns)}"
    while rank() > 0 and not store.check([word]):
        time.sleep(POLL)
    try:
        yield
    finally:
        if rank() == 0:
            store.set(word, "done")


def wait() -> None:
    """Until every rank is here."""
    if count() > 1:
        dist.barrier()
