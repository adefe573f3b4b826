"""Memory that is lent: never twice at once, and no more than is needed."""

import gc

import pytest
import torch
from torch import Tensor

from ganlib.common.data import transfer as memory
from ganlib.common.data.transfer import Memory


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGE", 64)


def place(x: Tensor) -> int:
    return x.untyped_storage().data_ptr()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_what_nobody_holds_is_used_again(dtype: torch.dtype) -> None:
    lender = Memory()
    places = set()
    for i in range(5):
        x = lender.empty((4, 1, 4, 5), dtype).fill_(i)
        assert (x.shape, x.dtype) == ((4, 1, 4, 5), dtype) and bool((x == i).all())
        places.add(place(x))
        del x
    assert len(places) == 1


def hold_a_part(x: Tensor) -> object:
    return x[1:2].detach()


def hold_for_gradients(x: Tensor) -> object:
    return (torch.ones((), requires_grad=True) * x).sum()


def hold_the_storage(x: Tensor) -> object:
    return x.untyped_storage()


def hold_an_array(x: Tensor) -> object:
    return x.numpy()


@pytest.mark.parametrize("hold", [hold_a_part, hold_for_gradients, hold_the_storage, hold_an_array])
def test_what_anybody_holds_is_not(hold: object) -> None:
    lender = Memory()
    x = lender.empty((10, 10), torch.float32)
    first, held = place(x), hold(x)  # type: ignore[operator]
    del x
    gc.collect()
    y = lender.empty((10, 10), torch.float32)
    assert place(y) != first
    del held, y
    gc.collect()
    assert len({first} & {place(lender.empty((10, 10), torch.float32)) for _ in range(2)}) == 1


def test_of_other_sizes_nothing_is_kept() -> None:
    lender = Memory()
    held = lender.empty((100,), torch.float32)
    lender.empty((100,), torch.float32)
    lender.empty((50,), torch.float32)
    assert [len(whole) for whole, _ in lender] == [400, 200]
    del held


def test_small_tensors_are_pytorchs() -> None:
    lender = Memory()
    assert lender.empty((2, 2), torch.float32).shape == (2, 2) and not lender
