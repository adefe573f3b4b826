"""What changes seldom in a training: the size of its batches and of the images in them."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from ganlib.common.data import Loader
from ganlib.common.errors import UserError


class Stage(NamedTuple):
    """batch_size: images in a batch, of all GPUs together. size: (H, W) that real images are
    brought to, by averages over areas; None: as they are. number: which stage it is, from 0.
    """

    batch_size: int
    size: tuple[int, int] | None = None
    number: int = 0


class Stages:
    """Stages one after the other, each for so many real images; the last one goes on.

    plan: (images, batch_size, size) of each. batches: of real images that an iteration takes.
    """

    def __init__(
        self, plan: Sequence[tuple[int, int, tuple[int, int] | None]], batches: int = 1
    ) -> None:
        self.stages = [Stage(batch, size, k) for k, (_, batch, size) in enumerate(plan)]
        self._taken = [batch * batches for _, batch, _ in plan]  # images in an iteration
        counts = [-(-images // n) for (images, _, _), n in zip(plan, self._taken, strict=True)]
        self.starts = [0, *accumulate(counts[:-1])]
        """The iteration in which each begins."""

    def at(self, iteration: int) -> Stage:
        """The stage of an iteration."""
        return self.stages[bisect_right(self.starts, iteration) - 1]

    def images(self, iteration: int) -> int:
        """How many real images were seen before an iteration."""
        ends = [*self.starts[1:], iteration]
        return sum(
            n * max(0, min(end, iteration) - start)
            for n, start, end in zip(self._taken, self.starts, ends, strict=True)
        )

    def inside(self, iteration: int) -> int:
        """How many of them were seen since its stage began."""
        return self.images(iteration) - self.images(self.starts[self.at(iteration).number])


def borders(stage: Callable[[int], Stage], end: int) -> dict[int, Stage]:
    """The stages of the iterations before `end` by the iteration in which they begin, by bisection:
    of one that comes back within another's time it may not be seen.
    """
    found = {0: stage(0)}
    _search(stage, 0, max(0, end - 1), found)
    return dict(sorted(found.items()))


def check(stage: Callable[[int], Stage], end: int, loader: Loader) -> None:
    """UserError if a stage before `end` asks for batches that a loader like this cannot give."""
    for start, one in borders(stage, end).items():
        try:
            loader.fork("").resize(one.batch_size, one.size)
        except UserError as error:
            raise UserError(f"From iteration {start} on: {error}") from None


def _search(stage: Callable[[int], Stage], first: int, last: int, found: dict[int, Stage]) -> None:
    if stage(first) == stage(last):
        return
    if last - first == 1:
        found[last] = stage(last)
        return
    middle = (first + last) // 2
    _search(stage, first, middle, found)
    _search(stage, middle, last, found)
