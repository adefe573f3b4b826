"""The guard keeps the first that was not finite."""

import pytest
import torch

from ganlib.training.update.guard import Guard, NonFiniteError


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
