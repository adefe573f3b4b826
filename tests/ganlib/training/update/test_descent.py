"""Descent: gradient descent by hand, and nothing at all where a loss was not finite."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Adagrad, Adam, Optimizer, RMSprop

from ganlib.common.errors import UserError
from ganlib.training.update.accumulation import MicroBatches
from ganlib.training.update.steps import Steps, descend, make_state

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


STATEFUL: list[Make] = [
    lambda p: Adam(p, 0.1, fused=True),
    lambda p: Adam(p, 0.1, weight_decay=0.1, amsgrad=True),
    lambda p: RMSprop(p, 0.1, momentum=0.9, centered=True),
    lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
]


def trained(optimizer: Optimizer, p: list[Tensor], steps: int = 3) -> None:
    """By gradients that follow from the weights; the second parameter comes in late."""
    for k in range(steps):
        gradients = [p[0].detach().sin(), p[1].detach().cos() if k else None]
        descend(optimizer, gradients, [torch.tensor(0.1)], torch.tensor(True))


def content(optimizer: Optimizer) -> list[Tensor]:
    kept = optimizer.state_dict()["state"]
    return [torch.as_tensor(t) for number in sorted(kept) for t in kept[number].values()]


@pytest.mark.parametrize("make", STATEFUL)
def test_state_that_is_made_before_the_first_step_changes_nothing(make: Make) -> None:
    p, q = parameters(), parameters()
    lazy, early = make(p), make(q)
    told: list[int] = []
    early.register_step_pre_hook(lambda *_: told.append(0))
    make_state(early)
    assert all(map(torch.equal, p, q)) and not told and early.param_groups[0]["lr"] == 0.1
    assert len(early.state) == 2 and not any(t.any() for t in content(early))
    before = [t.data_ptr() for t in content(early)]
    trained(lazy, p)
    trained(early, q)
    assert all(map(torch.equal, p, q))
    assert all(map(torch.equal, content(lazy), content(early)))
    assert [t.data_ptr() for t in content(early)] == before
    make_state(early)
    assert all(map(torch.equal, content(lazy), content(early)))


@pytest.mark.parametrize("make", STATEFUL)
def test_an_optimizer_that_forgets_is_a_new_one(make: Make) -> None:
    p = parameters()
    old = make(p)
    trained(old, p)
    q = [torch.nn.Parameter(t.detach().clone()) for t in p]
    before = [t.data_ptr() for t in content(old)]
    Steps({"p": old}, MicroBatches()).reset("p")
    new = make(q)
    trained(old, p)
    trained(new, q)
    assert all(map(torch.equal, p, q))
    assert all(map(torch.equal, content(old), content(new)))
    assert [t.data_ptr() for t in content(old)] == before


def test_what_does_not_start_from_zeros_is_left_alone() -> None:
    p = parameters()
    for optimizer in (
        Adagrad(p, 0.1, initial_accumulator_value=1),
        SGD(p, momentum=0.9, dampening=0.5),
    ):
        before = [t.clone() for t in content(optimizer)]
        make_state(optimizer)
        with pytest.raises(UserError, match="does not start from zeros"):
            Steps({"p": optimizer}, MicroBatches()).reset("p")
        assert all(map(torch.equal, before, content(optimizer)))
