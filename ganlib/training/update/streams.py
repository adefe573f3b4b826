"""The streams of batches that an updater trains on, and its stages: what changes seldom in a
training, the size of its batches and of the images in them.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from ganlib.common.data import DataSet, DataSpec, Loader
from ganlib.common.errors import UserError
from ganlib.config import AlgorithmConfig
from ganlib.training.update.accumulation import MicroBatches


class Stage(NamedTuple):
    """batch_size: images in a batch, of all GPUs together. size: (H, W) that real images are
    brought to, by averages over areas; None: as they are. number: which stage it is, from 0.
    """

    batch_size: int
    size: tuple[int, int] | None = None
    number: int = 0


def loader_of(
    config: AlgorithmConfig, data: DataSet, spec: DataSpec, seed: int, **settings: Any
) -> Loader:
    """The batches of the data that training by `config` takes; settings: the Loader's others."""
    told: dict[str, Any] = {"condition": config.condition, "jitter": config.jitter, **settings}
    return Loader(data, spec, config.batch_size, seed, **told)


class Stages:
    """Stages one after the other, each for so many real images; the last one goes on.

    plan: (images, batch_size, size) of each. batches: of real images that an iteration takes.
    length: how many iterations all of them take.
    """

    def __init__(
        self, plan: Sequence[tuple[int, int, tuple[int, int] | None]], batches: int = 1
    ) -> None:
        self.stages = [Stage(batch, size, k) for k, (_, batch, size) in enumerate(plan)]
        self._taken = [batch * batches for _, batch, _ in plan]  # images in an iteration
        counts = [-(-images // n) for (images, _, _), n in zip(plan, self._taken, strict=True)]
        self.starts = [0, *accumulate(counts[:-1])]
        """The iteration in which each begins."""
        self.length = sum(counts)

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
    found, spans = {0: stage(0)}, [(0, max(0, end - 1))]
    while spans:
        first, last = spans.pop()
        if stage(first) == stage(last):
            continue
        if last - first == 1:
            found[last] = stage(last)
        else:
            middle = (first + last) // 2
            spans += [(first, middle), (middle, last)]
    return dict(sorted(found.items()))


def check(stage: Callable[[int], Stage], end: int, loader: Loader) -> None:
    """UserError if a stage before `end` asks for batches that a loader like this cannot give."""
    for start, one in borders(stage, end).items():
        try:
            loader.fork("").resize(one.batch_size, one.size)
        except UserError as error:
            raise UserError(f"From iteration {start} on: {error}") from None


class Streams:
    """Loaders by the name of their stream, "" for the training data, and by micro-batch.

    False without data, where there is nothing to train on.
    """

    def __init__(self, data: Loader | None, batches: MicroBatches) -> None:
        self._batches = batches
        self._loaders = {} if data is None else {("", 0): data}
        self.wrapped: dict[tuple[str, int], Any] = dict(self._loaders)
        """The loaders by stream and micro-batch, in what stands for them."""
        self._wrapper: Callable[[Loader], Any] = lambda loader: loader
        self._stage: Stage | None = None

    def __bool__(self) -> bool:
        return bool(self._loaders)

    def get(self, name: str = "", like: Loader | None = None) -> Loader:
        """The loader of a stream for the micro-batch that runs; a new one is over the data of
        `like`, by default the training data. UserError if there are none.
        """
        if not self._loaders:
            raise UserError("This updater was loaded to sample; it has no data to train on.")
        key = name, self._batches.current
        if key not in self._loaders:
            self._loaders[key] = (like or self.get()).fork(name)
            self.wrapped[key] = self._wrapper(self._loaders[key])
        loader: Loader = self.wrapped[key]
        return loader

    def resize(self, stage: Stage) -> None:
        """The batches of this stage from the next one on, in all streams; UserError if they cannot
        be shared so.
        """
        if stage != self._stage:
            for loader in self._loaders.values():
                loader.resize(stage.batch_size, stage.size)
            self._stage = stage

    def split(self) -> None:
        """Give each micro-batch its share; UserError if a batch cannot be shared so."""
        whole = {name: loader for (name, k), loader in self._loaders.items() if k == 0}
        self._loaders = {
            (name, k): loader.share(self._batches.share(k), self._batches.shares)
            for name, loader in whole.items()
            for k in range(self._batches.count)
        }
        self.wrap(self._wrapper)

    def wrap(self, wrapper: Callable[[Loader], Any]) -> None:
        """Have each loader, also of streams to come, in a `wrapper` that stands for it."""
        self._wrapper = wrapper
        self.wrapped = {key: wrapper(loader) for key, loader in self._loaders.items()}

    def close(self) -> None:
        """End the processes of the loaders."""
        for loader in self._loaders.values():
            loader.close()

    def state(self) -> dict[str, int]:
        """The position of each stream, by its name."""
        return {name: loader.position for (name, k), loader in self._loaders.items() if k == 0}

    def load_state(self, positions: Mapping[str, int]) -> None:
        """Go to these positions."""
        for k in reversed(range(self._batches.count)):
            self._batches.current = k
            for name, position in positions.items():
                self.get(name)  # makes one that there is not
                self._loaders[name, k].position = position
