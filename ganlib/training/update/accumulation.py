"""Gradient accumulation: several passes through one iteration in turn, each with its share of the
batch, and how buffers are shared by shares that each change theirs.

A pass is to its process what a rank is to the job: it sees its rows of every batch and of every
draw, has buffers of its own, and waits for the others wherever gradients are averaged. So a batch
that does not fit the memory gives the same weights in parts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import torch
from greenlet import getcurrent, greenlet
from torch import Tensor
from torch.autograd.grad_mode import _unsafe_preserve_version_counter

from ganlib.common.errors import UserError
from ganlib.training.device import ranks

R = TypeVar("R")
Values = dict[str, Tensor]


Sharing = Literal["averaged", "equal", "own"]


class Shared(NamedTuple):
    """Buffers by what becomes of them at the end of an iteration.

    averaged: all shares go on with the mean. equal: every share has worked out the same, so nothing
    is done. own: each share goes on with its own, and a snapshot holds the first one's.
    """

    averaged: list[Tensor]
    equal: list[Tensor]
    own: list[Tensor]


def sort(buffers: Mapping[str, Tensor], shared: Mapping[str, Sharing]) -> Shared:
    """Buffers by how they are shared: as `shared` says of them or of the module that they are in,
    otherwise floating ones averaged and others equal.

    Raises UserError for a name that is no buffer's, and for a word that is none of the three.
    """
    for part, word in shared.items():
        if word not in get_args(Sharing):
            words = ", ".join(get_args(Sharing))
            raise UserError(f"shared['{part}'] is '{word}'; the words are {words}.")
        if not any(_within(name, part) for name in buffers):
            raise UserError(f"shared names '{part}', and no buffer is called so.")
    found = Shared([], [], [])
    for name, buffer in buffers.items():
        said = [word for part, word in shared.items() if _within(name, part)]
        default: Sharing = "averaged" if buffer.is_floating_point() else "equal"
        getattr(found, said[-1] if said else default).append(buffer)
    return found


def _within(name: str, part: str) -> bool:
    return f"{name}.".startswith(f"{part}.")


class Passes:
    """`count` passes on each rank. `current`: the number of the one that runs."""

    def __init__(self, count: int = 1) -> None:
        self.count, self.current = count, 0
        self._sums: list[Tensor] = []
        self._arrived = 0
        self._rows: list[Tensor] = []
        self._result: Any = None
        self._kept: list[list[Tensor]] = []  # of each pass its own buffers, between iterations

    @property
    def shares(self) -> int:
        """In how many parts a batch is taken, over all ranks and passes."""
        return ranks.count() * self.count

    def share(self, k: int) -> int:
        """Which of them is this rank's pass k's."""
        return ranks.rank() * self.count + k

    def forget(self) -> None:
        """Buffers were set from outside: all passes go on from what they are."""
        self._kept = []

    @torch.no_grad()
    def run(self, body: Callable[[], Values], buffers: Shared) -> Values:
        """The means over all shares of what `body` returns for each; afterwards buffers are as
        their sharing says, those of each pass's own the first one's.

        Between two meetings one pass runs, then the next. Each has all `buffers` to itself.
        """
        found = self._in_turn(body, buffers)
        means = {name: _mean([values[name] for values in found]) for name in found[0]}
        ranks.mean_([*buffers.averaged, *means.values()])
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
        result: R = self._wait()
        return result

    def gather(self, x: Tensor) -> Tensor:
        """The rows (n, ...) of all shares in the order of the whole batch, (n * shares, ...),
        without a graph; not to be changed in place.
        """
        if self.count == 1:
            return ranks.gather(x.detach())
        self._rows.append(x.detach())
        if len(self._rows) == self.count:
            whole, self._rows = torch.cat(self._rows), []
            self._result = ranks.gather(whole)
        rows: Tensor = self._wait()
        return rows

    def _wait(self) -> Any:
        """What the last pass to arrive has found."""
        parent = getcurrent().parent
        assert parent is not None, "a pass meets the others inside of run()"
        parent.switch()
        return self._result

    def _in_turn(self, body: Callable[[], Values], shared: Shared) -> list[Values]:
        if self.count == 1:
            with torch.enable_grad():
                return [body()]
        self._sums, self._arrived, self._rows = [], 0, []
        self._kept = self._kept or [_clones(shared.own) for _ in range(self.count)]
        buffers = [*shared.averaged, *shared.equal, *shared.own]
        of_all = [*shared.averaged, *shared.equal]
        own = [[*_clones(of_all), *self._kept[k]] for k in range(self.count)]
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
        _copy(buffers, own[0])
        for buffer, *parts in zip(shared.averaged, *own, strict=False):
            buffer.copy_(torch.stack(parts).mean(0))
        return found


def _clones(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [t.clone() for t in tensors]


def _copy(to: Sequence[Tensor], source: Sequence[Tensor]) -> None:
    # A pass that goes on finds its buffers as it left them, so a graph that it holds is still
    # right: autograd need not see that they were away.
    with _unsafe_preserve_version_counter(tuple(to)):
        for old, new in zip(to, source, strict=True):
            old.copy_(new)


def _mean(values: Sequence[Tensor]) -> Tensor:
    if len(values) == 1:
        return values[0].detach()
    return torch.stack([value.detach() for value in values]).mean(0)
