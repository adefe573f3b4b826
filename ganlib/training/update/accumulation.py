"""Gradient accumulation: the micro-batches of a batch take turns in one iteration, each with its
rows of every batch and of every draw.

A micro-batch is to its process what a rank is to the job: it has buffers of its own, and waits for
the others wherever gradients are averaged. So a batch that does not fit the memory gives the same
weights in parts. The part of a rank's micro-batch is called its share.
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


class MicroBatches:
    """`count` of them on each rank. `current`: the number of the one that runs."""

    def __init__(self, count: int = 1) -> None:
        self.count, self.current = count, 0
        self._sums: list[Tensor] = []
        self._arrived = 0
        self._rows: list[Tensor] = []
        self._result: Any = None
        self._own: list[list[Tensor]] = []  # the buffers of each alone, between iterations

    @property
    def shares(self) -> int:
        """In how many parts a batch is taken, over all ranks and micro-batches."""
        return ranks.count() * self.count

    def share(self, k: int) -> int:
        """Which of them is this rank's micro-batch k."""
        return ranks.rank() * self.count + k

    def forget(self) -> None:
        """Buffers were set from outside: all micro-batches go on from what they are."""
        self._own = []

    @torch.no_grad()
    def run(self, body: Callable[[], object], buffers: Shared) -> Values:
        """The means over all shares of what `body` returns for each; afterwards buffers are as
        their sharing says, those of each one's own the first one's.

        Between two meetings one micro-batch runs, then the next. Each has all `buffers` to itself.
        """
        found = self._in_turn(lambda: _checked(body()), buffers)
        means = {name: _mean([values[name] for values in found]) for name in found[0]}
        ranks.mean_([*buffers.averaged, *means.values()])
        return means

    def meet(self, tensors: Sequence[Tensor], then: Callable[[list[Tensor]], R]) -> R:
        """`then` of the means of `tensors` over all shares, called once on each rank, by the last
        micro-batch to arrive. `tensors` may be overwritten.
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
        """What the last micro-batch to arrive has found."""
        parent = getcurrent().parent
        assert parent is not None, "micro-batches meet inside of run()"
        parent.switch()
        return self._result

    def _in_turn(self, body: Callable[[], Values], shared: Shared) -> list[Values]:
        if self.count == 1:
            with torch.enable_grad():
                return [body()]
        self._sums, self._arrived, self._rows = [], 0, []
        self._own = self._own or [_clones(shared.own) for _ in range(self.count)]
        buffers = [*shared.averaged, *shared.equal, *shared.own]
        of_all = [*shared.averaged, *shared.equal]
        own = [[*_clones(of_all), *self._own[k]] for k in range(self.count)]
        turns = [greenlet(body, getcurrent()) for _ in range(self.count)]
        found: list[Values] = []
        while not all(one.dead for one in turns):
            for self.current, one in enumerate(turns):
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
    # A micro-batch that goes on finds its buffers as it left them, so a graph that it holds is
    # still right: autograd need not see that they were away.
    with _unsafe_preserve_version_counter(tuple(to)):
        for old, new in zip(to, source, strict=True):
            old.copy_(new)


def _mean(values: Sequence[Tensor]) -> Tensor:
    if len(values) == 1:
        return values[0].detach()
    return torch.stack([value.detach() for value in values]).mean(0)


def _checked(values: object) -> Values:
    """What update_core() returned, as it is, without a look at any value; UserError for what is no
    dict of 0-dim tensors.
    """
    if not isinstance(values, dict):
        raise UserError(
            f"update_core() returned {_kind(values)}: return a dict of the 0-dim tensors to log, "
            'as {"loss_gen": loss_gen}, or {} for none.'
        )
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise UserError(
                f"update_core() returned {_kind(value)} as '{name}': return the tensor itself, "
                "without .item()."
            )
        if value.dim():
            raise UserError(
                f"update_core() returned a tensor {tuple(value.shape)} as '{name}': return its "
                "mean, which is 0-dim, without .item()."
            )
    return values


def _kind(value: object) -> str:
    return "None" if value is None else f"something of the type {type(value).__name__}"


class Draws:
    """The random numbers of whole batches, of which each share has its rows: the same however a
    batch is shared.

    All shares ask for the same draws in the same order. The first micro-batch to ask makes one;
    other ranks make the same, as their generators have the same seed. like: the tensor whose device
    and dtype are those of the draws.
    """

    def __init__(self, batches: MicroBatches, like: Callable[[], Tensor]) -> None:
        self._batches, self._like = batches, like
        self._generator = torch.Generator()
        self._bounds: Tensor | None = None  # between the classes' parts of [0, 1)
        self._whole: list[Tensor] = []  # in order
        self._taken: list[int] = []  # how many of them each micro-batch has had rows of

    @property
    def generator(self) -> torch.Generator:
        """What all draws are made with, on their device."""
        device = self._like().device
        if self._generator.device != device:
            self._generator = torch.Generator(device)
        return self._generator

    def restart(self) -> None:
        """Before an iteration: no micro-batch has drawn."""
        self._whole, self._taken = [], [0] * self._batches.count

    def filled(self, fill: Callable[..., Tensor], n: int, *shape: int) -> Tensor:
        """(n, *shape), filled by `fill`, as Tensor.normal_; n counts rows."""
        return self.rows(
            n, lambda m, random: fill(self._like().new_empty(m, *shape), generator=random)
        )

    def labels(self, n: int, marginal: Sequence[float]) -> Tensor:
        """int64 (n,): class k with the probability marginal[k]; UserError if there is none."""
        bounds = self.place_bounds(marginal)
        if bounds is None:
            raise UserError("This algorithm draws labels and the data set has none.")
        return self.rows(
            n,
            lambda m, random: torch.bucketize(
                bounds.new_empty(m).uniform_(generator=random), bounds, right=True
            ),
        )

    def place_bounds(self, marginal: Sequence[float]) -> Tensor | None:
        """What labels() looks up, on the device: made before an iteration, whose own memory may be
        that of a graph. None if there are no classes.
        """
        device = self._like().device
        if marginal and (self._bounds is None or self._bounds.device != device):
            # the last class takes what is left, so that rounding leaves no gap above it
            bounds = torch.tensor(marginal, dtype=torch.float64).cumsum(0)[:-1]
            self._bounds = bounds.float().to(device)
        return self._bounds

    def rows(self, n: int, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """n rows of draw(m, generator), m the rows that all shares have together."""
        of, current = self._batches.shares, self._batches.current
        if of == 1:
            return draw(n, self.generator)
        k = self._taken[current]
        self._taken[current] += 1
        if k == len(self._whole):
            self._whole.append(draw(n * of, self.generator))
        first = n * self._batches.share(current)
        return self._whole[k][first : first + n]
