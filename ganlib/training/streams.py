"""The streams of batches that an updater trains on."""

from collections.abc import Callable, Mapping
from typing import Any

from ganlib.common.data import Loader
from ganlib.common.errors import UserError
from ganlib.training.passes import Passes
from ganlib.training.stages import Stage


class Streams:
    """Loaders by the name of their stream, "" for the training data, and by pass.

    False without data, where there is nothing to train on.
    """

    def __init__(self, data: Loader | None, passes: Passes) -> None:
        self._passes = passes
        self._loaders = {} if data is None else {("", 0): data}
        self._shown: dict[tuple[str, int], Any] = dict(self._loaders)
        self._wrapper: Callable[[Loader], Any] = lambda loader: loader
        self._stage: Stage | None = None

    def __bool__(self) -> bool:
        return bool(self._loaders)

    def get(self, name: str = "", like: Loader | None = None) -> Loader:
        """The loader of a stream for the pass that runs; a new one is over the data of `like`, by
        default the training data. UserError if there are none.
        """
        if not self._loaders:
            raise UserError("This updater was loaded to sample; it has no data to train on.")
        key = name, self._passes.current
        if key not in self._loaders:
            self._loaders[key] = loader = (like or self.get()).fork(name)
            self._shown[key] = self._wrapper(loader)
        shown: Loader = self._shown[key]
        return shown

    def resize(self, stage: Stage) -> None:
        """The batches of this stage from the next one on, in all streams; UserError if they cannot
        be shared so.
        """
        if stage != self._stage:
            for loader in self._loaders.values():
                loader.resize(stage.batch_size, stage.size)
            self._stage = stage

    def split(self) -> None:
        """Give each pass its share of every batch; UserError if a batch cannot be shared so."""
        whole = {name: loader for (name, k), loader in self._loaders.items() if k == 0}
        self._loaders = {
            (name, k): loader.share(self._passes.share(k), self._passes.shares)
            for name, loader in whole.items()
            for k in range(self._passes.count)
        }
        self.wrap(self._wrapper)

    def wrap(self, wrapper: Callable[[Loader], Any]) -> None:
        """Have each loader, also of streams to come, in a `wrapper` that stands for it."""
        self._wrapper = wrapper
        self._shown = {key: wrapper(loader) for key, loader in self._loaders.items()}

    @property
    def shown(self) -> dict[tuple[str, int], Any]:
        """The loaders by stream and pass, in their wrappers."""
        return dict(self._shown)

    def close(self) -> None:
        """End what the loaders run beside this process."""
        for loader in self._loaders.values():
            loader.close()

    def state(self) -> dict[str, int]:
        """The position of each stream, by its name."""
        return {name: loader.position for (name, k), loader in self._loaders.items() if k == 0}

    def load_state(self, positions: Mapping[str, int]) -> None:
        """Go to these positions."""
        for k in reversed(range(self._passes.count)):
            self._passes.current = k
            for name, position in positions.items():
                self.get(name).position = position
