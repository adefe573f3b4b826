"""The device and how to use it."""

import gc
import os
from pathlib import Path

import torch
from torch import nn

from ganlib.common.errors import UserError
from ganlib.training.device import ranks


def pick_device(gpu: int | None, device: str | None) -> torch.device:
    """The device that was asked for; by default the first GPU, else the CPU. Of several processes
    each has its own GPU.
    """
    if device is not None:
        if ranks.launched() and device.startswith("cuda:"):
            raise UserError("Each of several processes has a GPU of its own: write --device cuda.")
        return _checked(device)
    if gpu is None:
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return _checked(f"cuda:{ranks.local_rank()}")
    if ranks.launched() and gpu >= 0:
        raise UserError("Each of several processes has a GPU of its own: leave --gpu out.")
    return torch.device("cpu") if gpu < 0 else _checked(f"cuda:{gpu}")


def _checked(name: str) -> torch.device:
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", ranks.local_rank())
        torch.zeros(1, device=device).item()  # a "meta" tensor can be made, and holds nothing
        if device.type == "cuda":
            torch.cuda.set_device(device)  # graphs are captured on the current one
    except (RuntimeError, AssertionError, NotImplementedError):
        count = torch.cuda.device_count()
        have = f"there are {count} GPUs, numbered from 0" if count else "PyTorch sees no GPU here"
        raise UserError(f"The device {name} cannot be used: {have}; -g -1 is the CPU.") from None
    return device


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """The network on the device; convolutions in channels_last, which both CPUs and GPUs run
    faster.
    """
    placed: nn.Module = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def make_deterministic() -> None:
    """Only algorithms that give the same bits every time, for this process."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def free(device: torch.device) -> None:
    """Give back the memory of what is done with: updaters lie in cycles of references."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The cores that this process may use: of its affinity, and of what its container is given,
    which PyTorch does not ask for.
    """
    try:
        own = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        own = os.cpu_count() or 1
    try:
        microseconds, _, period = quota.read_text().partition(" ")
        return max(1, min(own, int(int(microseconds) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        return own


def use_cores() -> None:
    """Let PyTorch use no more threads than there are cores for this process, unless the user has
    said how many.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, min(torch.get_num_threads(), cores() // ranks.local_count())))


def is_out_of_memory(error: Exception) -> bool:
    """Whether it was the memory, of a GPU or of the host, that did not suffice."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate" in str(error)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
