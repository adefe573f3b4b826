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

R = TypeVar("R")


class Passes:
    """`count` passes. `current`: the number of the one that runs."""

    def __init__(self, count: int) -> None:
        self.count, self.current = count, 0
        self._sums: list[Tensor] = []
        self._arrived = 0
        self._result: Any = None

    @torch.no_grad()
    def run(self, body: Callable[[], R], buffers: Sequence[Tensor]) -> list[R]:
        """What `body` returns in every pass; afterwards floating buffers hold their means.

        Between two meetings one pass runs, then the next. Each has `buffers` to itself.
        """
        if self.count == 1:
            with torch.enable_grad():
                return [body()]
        self._sums, self._arrived = [], 0
        own = [[b.clone() for b in buffers] for _ in range(self.count)]
        passes = [greenlet(body, getcurrent()) for _ in range(self.count)]
        results: list[R] = []
        while not all(p.dead for p in passes):
            for self.current, one in enumerate(passes):
                _copy(buffers, own[self.current])
                with torch.enable_grad():
                    result = one.switch()
                _copy(own[self.current], buffers)
                if one.dead:
                    results.append(result)
        self.current = 0
        _average(buffers, own)
        return results

    def meet(self, tensors: Sequence[Tensor], then: Callable[[list[Tensor]], R]) -> R:
        """`then` of the means of `tensors` over the passes, called once, by the last to arrive."""
        if self.count == 1:
            return then(list(tensors))
        own = list(tensors)
        self._sums = list(torch._foreach_add(self._sums, own)) if self._arrived else own
        self._arrived += 1
        if self._arrived == self.count:
            means = torch._foreach_div(self._sums, self.count)
            self._sums, self._arrived = [], 0
            self._result = then(list(means))
        parent = getcurrent().parent
        assert parent is not None, "a pass meets the others inside of run()"
        parent.switch()
        result: R = self._result
        return result


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
