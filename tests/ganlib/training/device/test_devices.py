"""The device that is asked for, without one: what PyTorch is told."""

from typing import Any

import pytest
import torch

from ganlib.common.errors import UserError
from ganlib.training.device import devices


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
