"""Descent: gradient descent by hand, and nothing at all where a loss was not finite."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer, RMSprop

from ganlib.training.descent import descend

Make = Callable[[list[Tensor]], Optimizer]
MAKERS: list[Make] = [
    lambda p: SGD(p, 1.0, fused=True),
    lambda p: Adam(p, 1.0, fused=True),
    lambda p: RMSprop(p, 1.0),
]


def parameters() -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(2, 3, 4, 4)), torch.nn.Parameter(torch.randn(5))]


def test_a_step_goes_down_the_gradient_by_the_rate() -> None:
    (p, q), rates = parameters(), [torch.tensor(0.25)]
    expected = [p.detach() - 0.25 * 2, q.detach().clone()]
    descend(SGD([p, q], 7.0), [torch.full_like(p, 2), None], rates, torch.tensor(True))
    torch.testing.assert_close([p.detach(), q.detach()], expected)
    assert p.grad is None and q.grad is None


def test_groups_have_their_own_rates() -> None:
    p, q = parameters()
    start = p.detach().clone(), q.detach().clone()
    optimizer = SGD([{"params": [p]}, {"params": [q]}], 1.0)
    gradients = [torch.ones_like(p), torch.ones_like(q)]
    descend(optimizer, gradients, [torch.tensor(0.5), torch.tensor(2.0)], torch.tensor(True))
    torch.testing.assert_close(p.detach(), start[0] - 0.5)
    torch.testing.assert_close(q.detach(), start[1] - 2)


@pytest.mark.parametrize("make", MAKERS)
def test_nothing_moves_where_a_loss_was_not_finite(make: Make) -> None:
    both = parameters()
    optimizer, good = make(both), [torch.ones_like(p) for p in both]
    descend(optimizer, good, [torch.tensor(0.1)], torch.tensor(True))
    before = [p.detach().clone() for p in both]
    bad = [torch.full_like(p, torch.nan) for p in both]
    for gradients in (bad, good):
        descend(optimizer, gradients, [torch.tensor(0.1)], torch.tensor(False))
    assert all(torch.equal(p.detach(), q) for p, q in zip(both, before, strict=True))


def test_a_gradient_may_have_other_strides_than_its_parameter() -> None:
    p, _ = parameters()
    start, gradient = p.detach().clone(), torch.randn_like(p)
    strange = gradient.contiguous(memory_format=torch.channels_last)
    descend(SGD([p], 1.0, fused=True), [strange], [torch.tensor(1.0)], torch.tensor(True))
    torch.testing.assert_close(p.detach(), start - gradient)
