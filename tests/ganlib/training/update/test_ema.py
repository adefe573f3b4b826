"""ganlib/average.py: a moving average by hand."""

import pytest
import torch
from torch import nn

from ganlib.training.update.ema import average_of, follow, left_behind


def test_it_goes_a_part_of_the_way_and_copies_buffers() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = average_of(network)
    assert not average.training and not any(p.requires_grad for p in average.parameters())
    start = [p.detach().clone() for p in network.parameters()]
    with torch.no_grad():
        for p in network.parameters():
            p.add_(1)
    network(torch.randn(8, 3))
    follow(average, network, torch.tensor(0.25))
    for a, p in zip(average.parameters(), start, strict=True):
        torch.testing.assert_close(a, p + 0.25)
    assert all(map(torch.equal, average.buffers(), network.buffers()))


def test_a_copy_shares_nothing() -> None:
    network = nn.Linear(2, 2)
    average = average_of(network)
    with torch.no_grad():
        network.weight.zero_()
    assert average.weight.any()


@pytest.mark.parametrize(
    ("decay", "k", "part"), [(0.999, 1, 9 / 11), (0.999, 90, 9 / 100), (0.5, 90, 0.5), (0, 3, 1)]
)
def test_the_decay_ramps_up(decay: float, k: int, part: float) -> None:
    assert left_behind(decay, k) == pytest.approx(part)
