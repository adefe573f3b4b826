"""Whole updates as CUDA graphs: an update is run as it is a few times, then captured and replayed.

What an update depends on besides its weights is written before each replay to where the graph
reads it: the batches, the seeds of the generators, the clock and the scheduled numbers. So a
captured iteration computes what an eager one does.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from ganlib.common.data import Batch, Loader
from ganlib.common.errors import one_line
from ganlib.training.updater import Updater

WARM_UP = 3
"""Iterations of each phase that are run as they are: they make the optimizers' state, and let
libraries choose their kernels."""
KEPT = 4
"""Graphs that are kept, one per phase; each holds the memory of an update."""

Values = dict[str, Tensor]


class Recorder(Protocol):
    """Records what `body` does on the device without doing it."""

    def __call__(
        self, body: Callable[[], Values], random: torch.Generator
    ) -> tuple[Values, Callable[[], None]]:
        """Where the values of `body` will lie, and what does its work."""


class CudaRecorder:
    """Captures on the current GPU; all graphs share one pool of memory, as only one runs at a
    time.
    """

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(
        self, body: Callable[[], Values], random: torch.Generator
    ) -> tuple[Values, Callable[[], None]]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(random)
        torch.cuda.empty_cache()
        # thread_local, because the thread that pins batches may allocate meanwhile
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            values = body()
        self._pool = self._pool or graph.pool()
        return values, graph.replay


class Feed:
    """A loader that can be told to give the same tensors in every iteration."""

    def __init__(self, loader: Loader) -> None:
        self.loader, self.given = loader, 0
        self.fixed: list[Batch] | None = None

    def __next__(self) -> Batch:
        self.given += 1
        return next(self.loader) if self.fixed is None else self.fixed[self.given - 1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    @property
    def position(self) -> int:
        """The loader's own."""
        return self.loader.position

    @position.setter
    def position(self, value: int) -> None:
        self.loader.position = value


class Captured:
    """The batches that an iteration of one phase reads, and its graph once there is one."""

    values: Values
    replay: Callable[[], None]

    def __init__(self, feeds: Mapping[Any, Feed], counts: Mapping[Any, int]) -> None:
        self._feeds = [(feeds[key], count) for key, count in counts.items()]
        self._batches = [[_own(next(f.loader)) for _ in range(n)] for f, n in self._feeds]
        self._fresh = True  # the batches are those of the iteration to come

    @contextmanager
    def feeding(self) -> Iterator[None]:
        """In this context the loaders give these batches."""
        for (feed, _), batches in zip(self._feeds, self._batches, strict=True):
            feed.fixed, feed.given = batches, 0
        try:
            yield
        finally:
            for feed, _ in self._feeds:
                feed.fixed = None

    def __call__(self) -> Values:
        """Do an iteration with the loaders' next batches."""
        if not self._fresh:
            for (feed, _), batches in zip(self._feeds, self._batches, strict=True):
                for batch in batches:
                    _fill(batch, next(feed.loader))
        self._fresh = False
        self.replay()
        return self.values


class Graphs:
    """Does an updater's work: eagerly at first, then by one graph for each phase.

    say: told once, in one line, if something cannot be captured; it then stays eager.
    """

    def __init__(self, updater: Updater, record: Recorder, say: Callable[[str], None]) -> None:
        self.updater, self.record, self.say = updater, record, say
        self.failed = False
        self._feeds: dict[Any, Feed] = {}
        self._counts: dict[Hashable, dict[Any, int]] = {}  # batches per iteration, by phase
        self._seen: dict[Hashable, int] = {}
        self._graphs: dict[Hashable, Captured] = {}

    def __call__(self) -> Values:
        """The work of one update; the values hold until the next."""
        phase = self.updater.phase(self.updater.iteration)
        if phase in self._graphs:
            return self._graphs[phase]()
        if self._seen.get(phase, 0) == WARM_UP and not self.failed:
            return self._capture(phase)
        return self._eager(phase)

    def _eager(self, phase: Hashable) -> Values:
        self._feeds = self.updater.streams.wrap(Feed)
        for feed in self._feeds.values():
            feed.given = 0
        values = self.updater.iterate()
        self._seen[phase] = self._seen.get(phase, 0) + 1
        self._counts[phase] = {key: feed.given for key, feed in self._feeds.items()}
        return values

    def _capture(self, phase: Hashable) -> Values:
        captured = Captured(self._feeds, self._counts[phase])
        try:
            with captured.feeding():
                captured.values, captured.replay = self.record(
                    self.updater.iterate, self.updater.random.generator
                )
        except RuntimeError as error:
            self.failed = True
            reason = one_line(error)
            self.say(f"Updates are not captured as CUDA graphs and stay slower: {reason}")
            self.updater.zero_grad(set_to_none=True)
            self.updater.prepare()
            with captured.feeding():
                return self.updater.iterate()
        if len(self._graphs) == KEPT:
            del self._graphs[next(iter(self._graphs))]
        self._graphs[phase] = captured
        return captured()


def _own(batch: Batch) -> Batch:
    return Batch(batch.x.clone(), None if batch.y is None else batch.y.clone())


def _fill(batch: Batch, new: Batch) -> None:
    batch.x.copy_(new.x)
    if batch.y is not None and new.y is not None:
        batch.y.copy_(new.y)
