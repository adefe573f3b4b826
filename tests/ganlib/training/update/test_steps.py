"""Steps by hand: Adam, several losses at once, and what is not finite."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganlib.training.update.steps import Guard, NonFiniteError, parameters_of

Make = Callable[..., Any]


def test_step_is_adam(make_updater: Make) -> None:
    """Three steps on a quadratic, against Adam's formulas (Kingma and Ba 2015, algorithm 1)."""
    updater = make_updater("sngan", dtype=torch.float64, adam_alpha=0.01)
    p = parameters_of(updater.optimizer["dis"])[0]
    b1, b2 = updater.config.adam_beta1, updater.config.adam_beta2
    expected = p.detach().clone()
    m = v = torch.zeros_like(expected)
    for t in range(1, 4):
        g = 2 * expected
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        expected = expected - 0.01 * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + 1e-8)
        updater.step(dis=p.square().sum())
    torch.testing.assert_close(p.detach(), expected, rtol=1e-6, atol=1e-9)


def test_a_joint_step_takes_all_gradients_first(make_updater: Make) -> None:
    """step(gen=a, dis=b) is simultaneous: both losses share a graph and see the old weights."""
    updater = make_updater("dcgan", dtype=torch.float64)
    g, d = parameters_of(updater.optimizer["gen"])[0], parameters_of(updater.optimizer["dis"])[0]
    before = g.detach().clone(), d.detach().clone()
    shared = g.square().mean() * d.square().mean()
    updater.step(gen=shared, dis=-shared)
    assert not torch.equal(g.detach(), before[0])
    assert not torch.equal(d.detach(), before[1])
    # Adam's first step is the sign of the gradient: down for gen, up for dis
    inner = before[0].abs() > 1e-4
    assert torch.equal((before[0] - g.detach()).sign()[inner], before[0].sign()[inner])
    inner = before[1].abs() > 1e-4
    assert torch.equal((d.detach() - before[1]).sign()[inner], before[1].sign()[inner])


def test_a_part_that_requires_no_gradient_stands_still(make_updater: Make) -> None:
    """And is as before once it requires some; of it Adam has seen nothing."""
    updater = make_updater("sngan")
    first, *rest = parameters_of(updater.optimizer["dis"])
    before = first.detach().clone()
    for moves in (False, True):
        first.requires_grad_(moves)
        updater.step(dis=sum(p.square().sum() for p in (first, *rest)))
        assert torch.equal(first.detach(), before) != moves
    counts = {float(updater.optimizer["dis"].state[p]["step"]) for p in rest}
    assert counts == {2.0} and float(updater.optimizer["dis"].state[first]["step"]) == 1


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_the_first_is_taken_down_with_its_iteration(value: float) -> None:
    guard = Guard(torch.tensor(7), torch.tensor([-1, -1]))
    guard.note(torch.tensor(1.0), 0)
    assert guard.ok
    guard.check(["gen", "dis"])
    guard.note(torch.tensor(value), 1)
    assert not guard.ok
    guard.clock.fill_(8)
    guard.note(torch.tensor(value), 0)
    with pytest.raises(NonFiniteError, match="loss_dis or its gradient .* at iteration 7"):
        guard.check(["gen", "dis"])
