"""Whole updates as CUDA graphs: an update is run as it is a few times, then captured and replayed.

What an update depends on besides its weights is written before each replay to where the graph
reads it: the batches, the seeds of the generators, the clock and the scheduled numbers. So a
captured iteration computes what an eager one does.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from traceback import walk_tb
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from ganlib.common.data import Batch, Loader
from ganlib.common.errors import UnusableError, one_line
from ganlib.registry import own_line
from ganlib.speed.compiled import is_compiled
from ganlib.training.update.accumulation import Values
from ganlib.training.updater import Updater

WARM_UP = 3
"""Iterations of each phase that are run as they are: they make the optimizers' state, and let
libraries choose their kernels."""
GRAPHS = 4
"""One per phase of the stage that runs, those that were used last. Each holds the batches and the
values of an update; the memory in between they share."""


class Recorder:
    """Records what `body` does on the device without doing it."""

    def __call__(
        self, body: Callable[[], Values], random: torch.Generator
    ) -> tuple[Values, Callable[[], None]]:
        """Where the values of `body` will lie, and what does its work. RuntimeError with the reason
        if that cannot be recorded, where all is as before; else UnusableError.
        """
        raise NotImplementedError

    def side_stream(self) -> AbstractContextManager[Any]:
        """In this context a body runs as it is where bodies are recorded."""
        return nullcontext()

    def warm_up(self) -> AbstractContextManager[Any]:
        """The same, once something was recorded, in the memory that is recorded ones': nothing that
        is made in it may outlive it.
        """
        return nullcontext()

    def own_memory(self) -> AbstractContextManager[Any]:
        """In this context memory is as ever, within that one too."""
        return nullcontext()

    def forget(self) -> None:
        """Nothing that was recorded is used any more."""


class CudaRecorder(Recorder):
    """Captures on a GPU, in a stream of its own: PyTorch's default one is the process's first
    GPU's. All graphs, and the iterations that warm up for one, share a pool of memory, as only one
    runs at a time.
    """

    def __init__(self, device: torch.device) -> None:
        cuda: Any = torch.cuda
        self.device, self._stream = device, cuda.Stream(device)
        self._pool: Any = None
        self._using = ExitStack()
        self._warm = False

    def __call__(
        self, body: Callable[[], Values], random: torch.Generator
    ) -> tuple[Values, Callable[[], None]]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(random)
        torch.cuda.empty_cache()
        values, reason = self._capture(graph, body)
        if values is None:
            raise RuntimeError(reason)
        self._pool = self._pool or graph.pool()
        return values, graph.replay

    def _capture(self, graph: Any, body: Callable[[], Values]) -> tuple[Values | None, str]:
        """The values or, where a capture ended in good order without them, why."""
        values, reason = None, ""
        try:
            # thread_local, because the thread that pins batches may allocate meanwhile
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                try:
                    values = body()
                except RuntimeError as error:  # its frames would hold memory, so it ends here
                    reason = _words(error)
        except RuntimeError as error:
            # PyTorch then leaves stream, allocator and generators as they are in a capture
            first = error.__context__
            reason = reason or _words(first if isinstance(first, Exception) else error)
            raise UnusableError(
                f"Updates cannot be captured as CUDA graphs: {reason}. Give --no-graph, with "
                "--resume auto where there is a snapshot."
            ) from None
        return values, reason

    @contextmanager
    def side_stream(self) -> Iterator[None]:
        now = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(now)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            now.wait_stream(self._stream)

    @contextmanager
    def warm_up(self) -> Iterator[None]:
        self._warm = True
        with self.side_stream():
            self._enter()
            try:
                yield
            finally:
                self._using.close()
                self._warm = False

    @contextmanager
    def own_memory(self) -> Iterator[None]:
        self._using.close()
        try:
            yield
        finally:
            if self._warm:
                self._enter()

    def forget(self) -> None:
        self._pool = None

    def _enter(self) -> None:
        # of a MemPool it asks for the id alone, and graphs made this one without one
        pool: Any = SimpleNamespace(id=self._pool)
        self._using.enter_context(torch.cuda.use_mem_pool(pool, self.device))


class Feed:
    """A loader that can be told to give the same tensors in every iteration.

    around: the context in which it works, as what it keeps outlives an iteration.
    """

    def __init__(self, loader: Loader, around: Callable[[], AbstractContextManager[Any]]) -> None:
        self.loader, self.around, self.count = loader, around, 0
        self.fixed: list[Batch] | None = None

    def __next__(self) -> Batch:
        self.count += 1
        if self.fixed is not None:
            return self.fixed[self.count - 1]
        with self.around():
            return next(self.loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


class Captured:
    """The batches that an iteration of one phase reads, and its graph once there is one."""

    values: Values
    replay: Callable[[], None]

    def __init__(self, feeds: Mapping[Any, Feed], counts: Mapping[Any, int]) -> None:
        self._batches = {
            feed: [tree_map_only(Tensor, torch.clone, next(feed.loader)) for _ in range(count)]
            for feed, count in ((feeds[key], count) for key, count in counts.items())
        }
        self._fresh = True  # the batches are those of the iteration to come

    @contextmanager
    def feeding(self) -> Iterator[None]:
        """In this context the loaders give these batches."""
        for feed, batches in self._batches.items():
            feed.fixed, feed.count = batches, 0
        try:
            yield
        finally:
            for feed in self._batches:
                feed.fixed = None

    def __call__(self) -> Values:
        """Do an iteration with the loaders' next batches."""
        if not self._fresh:
            for feed, batches in self._batches.items():
                for batch in batches:
                    for old, new in zip(batch, next(feed.loader), strict=True):
                        if old is not None and new is not None:
                            old.copy_(new)
        self._fresh = False
        self.replay()
        return self.values


class Graphs:
    """Does an updater's work: eagerly at first, then by one graph for each phase of a stage.

    say: told once, in one line, if something cannot be captured; it then stays eager.
    """

    def __init__(self, updater: Updater, record: Recorder, say: Callable[[str], None]) -> None:
        self.updater, self.record, self.say = updater, record, say
        self.failed = False
        updater.streams.wrap(lambda loader: Feed(loader, record.own_memory))
        self._counts: dict[Hashable, dict[Any, int]] = {}  # batches per iteration, by phase
        self._graphs: dict[Hashable, Captured] = {}  # the one that was used last comes last
        self._warm_ups: dict[Hashable, int] = {}  # by phase
        self._stage: Hashable = None

    def __call__(self) -> Values:
        """The work of one update; the values hold until the next."""
        if self.updater.current != self._stage:
            self._begin(self.updater.current)
        phase = self.updater.phase(self.updater.iteration)
        if phase in self._graphs:
            self._graphs[phase] = captured = self._graphs.pop(phase)
            return captured()
        if self._warm_ups.get(phase, 0) == WARM_UP and not self.failed:
            return self._capture(phase)
        # what is compiled in an iteration may keep constants, which outlive it
        if self._graphs and not (self.failed or is_compiled(self.updater)):
            return self._warm_up(phase)
        with nullcontext() if self.failed else self.record.side_stream():
            return self._eager(phase)

    def _begin(self, stage: Hashable) -> None:
        """Nothing that was captured in another stage has the size of this one's batches."""
        if self._graphs:
            self._graphs = {}
            self.record.forget()
        self._stage, self._warm_ups = stage, {}

    def _warm_up(self, phase: Hashable) -> Values:
        """In the memory of the graphs that there are, so that it need not be there twice."""
        with self.record.warm_up():
            values = self._eager(phase)
        return {name: value.clone() for name, value in values.items()}

    def _eager(self, phase: Hashable) -> Values:
        feeds = self.updater.streams.wrapped
        for feed in feeds.values():
            feed.count = 0
        values = self._iterate()
        self._warm_ups[phase] = self._warm_ups.get(phase, 0) + 1
        feeds = self.updater.streams.wrapped
        self._counts[phase] = {key: feed.count for key, feed in feeds.items()}
        return values

    def _capture(self, phase: Hashable) -> Values:
        captured, reason = Captured(self.updater.streams.wrapped, self._counts[phase]), ""
        try:
            with captured.feeding():
                captured.values, captured.replay = self.record(
                    self._iterate, self.updater.random.generator
                )
        except RuntimeError as error:  # whose frames would hold memory, so it ends here
            reason = _words(error)
        if reason:
            self.failed = True
            self.say(f"Updates are not captured as CUDA graphs and stay slower: {reason}")
            self.updater.zero_grad(set_to_none=True)
            self.updater.prepare()
            with captured.feeding():
                return self._iterate()
        if len(self._graphs) == GRAPHS:
            del self._graphs[next(iter(self._graphs))]
        self._graphs[phase] = captured
        return captured()

    def _iterate(self) -> Values:
        """Backward in this thread too: cuDNN keeps by thread which kernels it found the fastest,
        and in a warm-up memory is the pool's for this thread alone.
        """
        with torch.autograd.set_multithreading_enabled(False):
            return self.updater.iterate()


def _words(error: Exception) -> str:
    """An error in a line, with the line of the method's own that it comes from."""
    line = own_line(walk_tb(error.__traceback__))
    return (one_line(error) or type(error).__name__) + (f" ({line})" if line else "")
