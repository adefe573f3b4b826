"""Several passes through one iteration in turn, each with its share of the batch.

A pass is to its process what a rank is to the job: it sees its rows of every batch and of every
draw, has buffers of its own, and waits for the others wherever gradients are averaged. So a batch
that does not fit the memory gives the same weights in parts.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from greenlet import getcurrent, greenlet
from torch import Tensor
from torch.autograd.grad_mode import _unsafe_preserve_version_counter

from ganlib.training import ranks

R = TypeVar("R")
Values = dict[str, Tensor]


class Passes:
    """`count` passes on each rank. `current`: the number of the one that runs."""

    def __init__(self, count: int = 1) -> None:
        self.count, self.current = count, 0
        self._sums: list[Tensor] = []
        self._arrived = 0
        self._result: Any = None

    @property
    def shares(self) -> int:
        """In how many parts a batch is taken, over all ranks and passes."""
        return ranks.count() * self.count

    def share(self, k: int) -> int:
        """Which of them is this rank's pass k's."""
        return ranks.rank() * self.count + k

    @torch.no_grad()
    def run(self, body: Callable[[], Values], buffers: Sequence[Tensor]) -> Values:
        """The means over all shares of what `body` returns for each; afterwards floating buffers
        hold theirs.

        Between two meetings one pass runs, then the next. Each has `buffers` to itself.
        """
        found = self._in_turn(body, buffers)
        means = {name: _mean([values[name] for values in found]) for name in found[0]}
        ranks.mean_([*(b for b in buffers if b.is_floating_point()), *means.values()])
        return means

    def meet(self, tensors: Sequence[Tensor], then: Callable[[list[Tensor]], R]) -> R:
        """`then` of the means of `tensors` over all shares, called once on each rank, by the last
        pass to arrive. `tensors` may be overwritten.
        """
        own = list(tensors)
        if self.count == 1:
            ranks.mean_(own)
            return then(own)
        self._sums = list(torch._foreach_add(self._sums, own)) if self._arrived else own
        self._arrived += 1
        if self._arrived == self.count:
            means = list(torch._foreach_div(self._sums, self.count))
            self._sums, self._arrived = [], 0
            ranks.mean_(means)
            self._result = then(means)
        parent = getcurrent().parent
        assert parent is not None, "a pass meets the others inside of run()"
        parent.switch()
        result: R = self._result
        return result

    def _in_turn(self, body: Callable[[], Values], buffers: Sequence[Tensor]) -> list[Values]:
        if self.count == 1:
            with torch.enable_grad():
                return [body()]
        self._sums, self._arrived = [], 0
        own = [[b.clone() for b in buffers] for _ in range(self.count)]
        passes = [greenlet(body, getcurrent()) for _ in range(self.count)]
        found: list[Values] = []
        while not all(p.dead for p in passes):
            for self.current, one in enumerate(passes):
                _copy(buffers, own[self.current])
                with torch.enable_grad():
                    values = one.switch()
                _copy(own[self.current], buffers)
                if one.dead:
                    found.append(values)
        self.current = 0
        _average(buffers, own)
        return found


def _copy(to: Sequence[Tensor], source: Sequence[Tensor]) -> None:
    # A pass that goes on finds its buffers as it left them, so a graph that it holds is still
    # right: autograd need not see that they were away.
    with _unsafe_preserve_version_counter(tuple(to)):
        for old, new in zip(to, source, strict=True):
            old.copy_(new)


def _average(buffers: Sequence[Tensor], own: Sequence[Sequence[Tensor]]) -> None:
    for buffer, *parts in zip(buffers, *own, strict=True):
        if buffer.is_floating_point():
            buffer.copy_(torch.stack(parts).mean(0))
        else:
            buffer.copy_(parts[0])


def _mean(values: Sequence[Tensor]) -> Tensor:
    if len(values) == 1:
        return values[0].detach()
    return torch.stack([value.detach() for value in values]).mean(0)
