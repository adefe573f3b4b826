"""The device: which it is, what fits its memory, and what a run on it was made with."""

import ctypes
import gc
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import ganlib
from ganlib.common.errors import UserError
from ganlib.common.io.memory import GIB, available_memory
from ganlib.evaluation.protocol import package_versions
from ganlib.training.device import ranks

COUNTABLE = 2**63
"""Bytes of more than which PyTorch makes no tensor."""
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "h5py", "pydantic")


def pick_device(gpu: int | None, device: str | None) -> torch.device:
    """The device that was asked for, in one of two ways; by default the first GPU, else the CPU. Of
    several processes each has its own GPU.
    """
    if gpu is not None and device is not None:
        raise UserError("Give --gpu or --device, not both.")
    if device is not None:
        if ranks.launched() and device.startswith("cuda:"):
            raise UserError("Each of several processes has a GPU of its own: write --device cuda.")
        return _checked(device)
    if gpu is None:
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return _checked(f"cuda:{own_gpu()}")
    if ranks.launched() and gpu >= 0:
        raise UserError("Each of several processes has a GPU of its own: leave --gpu out.")
    return torch.device("cpu") if gpu < 0 else _checked(f"cuda:{gpu}")


def on_gpu(gpu: int | None, device: str | None) -> bool:
    """Whether pick_device() will take one, as far as can be told without taking its memory."""
    return torch.cuda.is_available() and gpu != -1 and not (device or "").startswith("cpu")


def on_any_gpu(gpu: int | None, device: str | None) -> bool:
    """Whether it will take one whose number nobody has said."""
    return on_gpu(gpu, device) and gpu is None and device in (None, "cuda")


def own_gpu() -> int:
    """The number of this process's GPU among those that it sees: of several processes each one's
    number on the machine, or 0 where each sees its own alone, as SLURM has it.
    """
    seen, needed = torch.cuda.device_count(), max(ranks.local_count(), ranks.local_rank() + 1)
    if 1 < seen < needed:
        raise UserError(
            f"{needed} processes on one machine see {seen} GPUs, and each takes one of its own: "
            f"start {seen} of them (--nproc-per-node {seen})."
        )
    return 0 if seen == 1 else ranks.local_rank()


def _checked(name: str) -> torch.device:
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", own_gpu())
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


def size_of(build: Callable[[], dict[str, nn.Module]]) -> int:
    """Bytes of the parameters and buffers of the networks that `build` makes, none of which are
    made for it; 0 if that cannot be told.
    """
    try:
        with torch.device("meta"), Unfilled(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            networks = build()
    except Exception as error:  # what networks do that were not written for this is no fixed set
        return COUNTABLE if "overflow" in str(error).lower() else 0
    return sum(
        tensor.nbytes
        for network in networks.values()
        for tensor in (*network.parameters(), *network.buffers())
    )


class Unfilled(TorchFunctionMode):
    """Leaves out what nn.init does, of which normal_() on "meta" imports half of PyTorch's compiler
    first, in seconds.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", "") == nn.init.__name__:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def require(nbytes: int, what: str, advice: str, device: torch.device | str | None = None) -> None:
    """UserError with `advice` if `what`, a word in the plural, takes more bytes than are free on
    the device, by default of this machine: a system without any left ends processes without a word.
    """
    where = torch.device(device or "cpu")
    free = torch.cuda.mem_get_info(where)[0] if where.type == "cuda" else available_memory()
    if nbytes > free:
        raise UserError(
            f"{what} of {nbytes / GIB:,.1f} GiB do not fit the memory, of which "
            f"{free / GIB:,.1f} GiB are free: {advice}."
        )


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


def interruptions() -> int:
    """How often so far a thread of this process has lost its core to another that waited for it; 0
    where the system does not count.
    """
    try:
        import resource
    except ImportError:  # there is none on Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def keep_memory() -> None:
    """Let memory that PyTorch is done with stay with this process, where the C library is glibc: it
    gives the system back what is free in the end of each update, which has to empty every page of
    it anew for the next one.
    """
    if platform.libc_ver()[0] == "glibc":
        set_option = ctypes.CDLL(None).mallopt
        set_option(-4, 0)  # M_MMAP_MAX: of any size
        set_option(-1, 1 << 30)  # M_TRIM_THRESHOLD


def is_out_of_memory(error: Exception) -> bool:
    """Whether it was the memory, of a GPU or of the host, that did not suffice."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate" in str(error)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def gpu_memory(device: torch.device) -> int | None:
    """Bytes that tensors have taken of a card at most; of the CPU nothing is known."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def environment(device: torch.device) -> dict[str, Any]:
    """Versions of what computes, the commit of this library, the device and the command."""
    return {
        "ganlib": ganlib.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **dict.fromkeys(PACKAGES),  # those that are not installed
        **package_versions(PACKAGES),
        "device": _name(device),
        "device_type": device.type,
        "threads": torch.get_num_threads(),
        "command": sys.argv,
    }


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_name() if device.type == "cpu" else str(device)


def cpu_name() -> str:
    """What the processor calls itself, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _commit() -> str | None:
    """The commit of the checkout that this file lies in, with a + if it was changed; None outside
    of one.
    """
    if not (Path(__file__).parents[3] / ".git").exists():  # of what ganlib is installed beside
        return None
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None
