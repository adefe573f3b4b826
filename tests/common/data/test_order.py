"""Orders: each epoch a permutation, wherever it is entered."""

import pytest
import torch

from ganlib.common.data.loader import Order
from ganlib.common.seeds import generator

CPU = torch.device("cpu")


@pytest.mark.parametrize("start", [0, 1, 6, 7, 23])
@pytest.mark.parametrize("n", [1, 5, 7, 30])
def test_rows_are_a_piece_of_all_epochs(start: int, n: int) -> None:
    epochs, flips = [], []
    for epoch in range(10):  # as runs of older versions drew them
        random = generator(3, "", "order", epoch)
        epochs.append(torch.randperm(7, generator=random))
        flips.append(torch.rand(7, generator=random) < 0.5)
    rows = Order(7, 3, "", "order").rows(start, n, CPU)
    piece = slice(start, start + n)
    assert torch.equal(rows.here, torch.cat(epochs)[piece]) and rows.there.equal(rows.here)
    assert torch.equal(rows.flips, torch.cat(flips)[piece])


def test_an_epoch_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    order, drawn = Order(10, 0), []
    randperm = torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda n, **more: drawn.append(n) or randperm(n, **more))
    for start in range(0, 30, 5):
        order.rows(start, 5, CPU)
    assert drawn == [10, 10, 10]
