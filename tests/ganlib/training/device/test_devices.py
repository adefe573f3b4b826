"""The device that is asked for, without one: what PyTorch is told; and what no memory holds."""

import math
import os
import platform
import sys
import time
from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage
from subprocess import Popen
from typing import Any

import pytest
import torch
from starting import source_shape
from torch import nn

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.registry import algorithms
from ganlib.training.device import devices

IMAGE = (3, 32, 32)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The devices that were made current."""
    seen: list[Any] = []
    monkeypatch.setattr(torch, "zeros", lambda *_, device: torch.ones(1))
    monkeypatch.setattr(torch.cuda, "set_device", seen.append)
    return seen


@pytest.mark.parametrize(("rank", "name"), [(None, "cuda:0"), ("3", "cuda:3")])
def test_cuda_alone_is_the_gpu_of_this_process(
    rank: str | None, name: str, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.cuda.set_device takes none without its number."""
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert devices.pick_device(None, "cuda") == torch.device(name)
    assert told == [torch.device(name)]


def test_several_processes_do_not_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="write --device cuda"):
        devices.pick_device(None, "cuda:0")


def test_a_gpu_is_called_by_its_number_or_as_pytorch_calls_it(told: list[Any]) -> None:
    found = [devices.pick_device(gpu, None) for gpu in (-1, 0, 2)]
    assert found == [torch.device(name) for name in ("cpu", "cuda:0", "cuda:2")]
    with pytest.raises(UserError, match="Give --gpu or --device, not both"):
        devices.pick_device(0, "cpu")


def test_memory_of_what_lies_in_cycles_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[bool] = []

    class Knot:
        def __init__(self) -> None:
            self.own = self

        def __del__(self) -> None:
            emptied.append(False)

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    Knot()
    devices.free(torch.device("cuda", 0))
    assert emptied == [False, True]
    devices.free(torch.device("cpu"))
    assert emptied == [False, True]


def test_the_size_is_that_of_the_networks_and_no_random_number_is_drawn(algorithm: str) -> None:
    one = algorithms[algorithm]
    spec = DataSpec(IMAGE, IMAGE, n_classes=10, source=source_shape(algorithm, IMAGE))
    config = one.config(width=0.1)
    before = torch.get_rng_state()
    size = devices.size_of(lambda: one.networks(config, spec))
    assert torch.equal(before, torch.get_rng_state())
    built = one.networks(config, spec)
    tensors = [t for net in built.values() for t in (*net.parameters(), *net.buffers())]
    assert size == sum(t.numel() * t.element_size() for t in tensors) > 10_000


@pytest.mark.parametrize("width", [1e5, 1e9, 1e18])
def test_networks_of_any_width_are_refused(width: float) -> None:
    one, spec = algorithms["dcgan"], DataSpec(IMAGE, IMAGE)
    with pytest.raises(UserError, match="Networks of .* GiB do not fit .*: give a smaller --width"):
        one.assemble(one.config(width=width), None, spec, torch.device("cpu"))


def test_networks_that_cannot_be_measured_are_let_through() -> None:
    def build() -> dict[str, nn.Module]:
        return {"gen": nn.Linear(int(torch.ones(1).item()), 1)}  # reads a value that meta lacks

    assert devices.size_of(build) == 0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="that is glibc's")
def test_memory_is_not_fetched_from_the_system_again() -> None:
    def fetched() -> int:
        before = getrusage(RUSAGE_SELF).ru_minflt
        tensors = [torch.ones(2**21) for _ in range(16)] + [torch.ones(2**23)]  # of 8 and 32 MiB
        del tensors
        return getrusage(RUSAGE_SELF).ru_minflt - before

    devices.keep_memory()
    fetched()
    assert fetched() < 2**13  # pages, a quarter of theirs


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen")
def test_a_core_that_another_program_takes_is_counted() -> None:
    """Of two that compute on one core, each loses it many times a second."""
    mine = os.sched_getaffinity(0)
    before, limit = devices.interruptions(), time.monotonic() + 60
    with Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            for process in (0, other.pid):
                os.sched_setaffinity(process, {min(mine)})
            while devices.interruptions() < before + 20 and time.monotonic() < limit:
                pass
        finally:
            os.sched_setaffinity(0, mine)
            other.kill()
    assert devices.interruptions() >= before + 20


def test_what_fits_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available_memory", lambda: 3 * 2**30)
    devices.require(3 * 2**30, "Batches", "give less")
    with pytest.raises(UserError, match=r"Batches of 4.0 GiB .* of which 3.0 GiB are free: give l"):
        devices.require(4 * 2**30, "Batches", "give less")
    monkeypatch.setattr(devices, "available_memory", lambda: math.inf)
    devices.require(2**70, "Batches", "give less")


def test_a_batch_is_counted_in_its_shares(
    toy_file: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    import ganlib

    monkeypatch.chdir(tmp_path)
    settings: dict[str, Any] = {"algorithm": "dcgan", "dataset": str(toy_file), "gpu": -1}
    settings |= {"width": 0.05, "max_iter": 1, "tensorboard": False}
    train: Callable[..., Any] = ganlib.train
    with pytest.raises(UserError, match=r"Batches of 3,814\.7 GiB .* smaller batch_size="):
        train(batch_size=10**9, **settings)
    monkeypatch.setattr("ganlib.training.device.devices.available_memory", lambda: 5 * 32 * 32 * 4)
    monkeypatch.setattr("ganlib.training.device.devices.size_of", lambda build: 0)
    with pytest.raises(UserError, match="Batches"):
        train(batch_size=10, **settings)
    assert train(batch_size=10, accumulate=2, **settings).updater.iteration == 1
