"""The guard against what is not finite. It is all on the device: no update waits for the host."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ganlib.common.errors import StoppedError


class NonFiniteError(StoppedError):
    """A loss or a gradient became NaN or infinite; the message names the iteration and the loss."""


class Guard(NamedTuple):
    """clock: the iteration, int 0-dim. bad: int (2,), the iteration and the number of the first
    loss that was not finite, [-1, -1] for none.
    """

    clock: Tensor
    bad: Tensor

    @property
    def ok(self) -> Tensor:
        """Whether all was finite so far, bool 0-dim."""
        return self.bad[0] < 0

    def note(self, value: Tensor, number: int) -> None:
        """Take down the loss of this number if `value`, 0-dim, is the first that is not finite."""
        first = ~torch.isfinite(value) & self.ok
        self.bad[0] = torch.where(first, self.clock, self.bad[0])
        self.bad[1].masked_fill_(first, number)

    def check(self, names: Sequence[str]) -> None:
        """Raise NonFiniteError, by the losses' names, if one was taken down."""
        iteration, loss = self.bad.tolist()
        if iteration >= 0:
            raise NonFiniteError(
                f"loss_{names[loss]} or its gradient was NaN or infinite at iteration {iteration}."
            )
