"""Compiled losses: every method loss_* of an updater as one function of torch.compile.

The unit is a loss, from tensors to a 0-dim tensor, with networks and penalty inside of it:
torch.compile cannot differentiate twice through a compiled network.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ganlib.common.errors import one_line
from ganlib.evaluation import cache
from ganlib.training.devices import synchronize
from ganlib.training.updater import Updater

Say = Callable[[str], None]

SECONDS = 75.0
"""What compiling costs, where nothing is kept of it yet: 55 to 77 s for residual networks of 32
pixels on an H100."""
SAVED = 0.2
"""The part of an eager iteration's time that compiling saves at least."""
AFTER = 3
"""Eager iterations before the decision; the last is timed."""


def losses(updater: Updater) -> list[str]:
    """The names of the methods that are compiled."""
    return [n for n in dir(type(updater)) if n.startswith("loss_")]


def compile_losses(updater: Updater, say: Say, backend: str = "inductor") -> None:
    """Replace each loss by its compiled form; the work is done when it is first called.

    A loss that cannot be compiled stays as it is, and `say` is told why in one line.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder()))
    import torch._functorch.config
    import torch._inductor.config

    # random numbers in networks (dropout) are to be those of an uncompiled run
    torch._inductor.config.fallback_random = True
    # a simultaneous step takes two gradients from one graph
    torch._functorch.config.donated_buffer = False
    for name in losses(updater):
        setattr(updater, name, _Compiled(updater, name, say, backend))


def is_compiled(updater: Updater) -> bool:
    """Whether a loss is, or will be when it is first called."""
    return any(isinstance(getattr(updater, name), _Compiled) for name in losses(updater))


class _Compiled:
    """One loss; the eager method takes its place again if it cannot be compiled."""

    def __init__(self, updater: Updater, name: str, say: Say, backend: str) -> None:
        import torch

        self.updater, self.name, self.say = updater, name, say
        self.eager = getattr(updater, name)
        self.fast: Any = torch.compile(self.eager, backend=backend, dynamic=False, fullgraph=True)

    def __call__(self, *tensors: Tensor) -> Any:
        from torch._dynamo.exc import TorchDynamoException

        if not self.updater.training:  # a score, of batches of another size
            return self.eager(*tensors)
        try:
            return self.fast(*tensors)
        except TorchDynamoException as error:
            reason = one_line(error)
            self.say(f"{self.name} is not compiled and stays slower: {reason}")
            setattr(self.updater, self.name, self.eager)
            return self.eager(*tensors)


def cache_folder() -> Path:
    """Where compiled code is kept between runs."""
    return cache.cache_folder() / "inductor"


def repays(seconds: float, iterations: int) -> bool:
    """Whether compiling saves more than it costs in so many iterations of so many seconds each."""
    return SAVED * seconds * iterations > SECONDS


class Trial:
    """Does an updater's work: some eager iterations, which are timed; then compiled if that repays.

    then: makes what does the work afterwards. say: told what is decided, and how long it took.
    """

    def __init__(
        self,
        updater: Updater,
        iterations: int,
        then: Callable[[], Callable[[], dict[str, Tensor]]],
        say: Say,
    ) -> None:
        self.updater, self.iterations, self.then, self.say = updater, iterations, then, say
        self._done = 0

    def __call__(self) -> dict[str, Tensor]:
        """The work of one update."""
        self._done += 1
        if self._done < AFTER:
            return self.updater.iterate()
        values, seconds = self._timed()
        if repays(seconds, self.iterations):
            self.say(
                f"An iteration takes {seconds:.3g} s so far: compiling the losses, which takes up "
                f"to {SECONDS:.0f} s (kept in {cache_folder()}; --no-compile leaves it out)."
            )
            compile_losses(self.updater, self.say)
            self.updater.perform = self._compile
        else:
            self.updater.perform = self.then()
        return values

    def _compile(self) -> dict[str, Tensor]:
        values, seconds = self._timed()
        self.say(f"Compiled in {seconds:.0f} s.")
        self.updater.perform = self.then()
        return values

    def _timed(self) -> tuple[dict[str, Tensor], float]:
        device = self.updater.clock.device
        synchronize(device)
        start = time.monotonic()
        values = self.updater.iterate()
        synchronize(device)
        return values, time.monotonic() - start
