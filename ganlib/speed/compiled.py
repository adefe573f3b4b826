"""Compiled losses: every method loss_* of an updater as one function of torch.compile.

The unit is a loss, from tensors to a 0-dim tensor, with networks and penalty inside of it:
torch.compile cannot differentiate twice through a compiled network.
"""

import os
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ganlib.common.errors import one_line
from ganlib.evaluation import cache
from ganlib.training.device import ranks
from ganlib.training.device.devices import synchronize
from ganlib.training.update.streams import Stage, borders
from ganlib.training.updater import Updater

Say = Callable[[str], None]
Work = Callable[[], dict[str, Tensor]]

SECONDS = 75.0
"""What compiling costs, where nothing is kept of it yet: 55 to 77 s for residual networks of 32
pixels on an H100."""
SAVED = 0.3
"""The part of a captured iteration's time that compiling saves at least: 0.35 to 0.5 of those
networks', in TF32 and in bfloat16."""
AFTER = 6
"""Iterations of the commonest phase before the decision; the last is timed. Three warm up for a
graph, and a first replay is slower."""
WINDOW = 1000
"""Iterations in which the commonest phase is looked for."""


def losses(updater: Updater) -> list[str]:
    """The names of the methods that are compiled."""
    return [n for n in dir(type(updater)) if n.startswith("loss_")]


def compile_losses(updater: Updater, say: Say, backend: str = "inductor") -> None:
    """Replace each loss by its compiled form; the work is done when it is first called.

    A loss that cannot be compiled stays as it is, and `say` is told why in one line.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder()))
    import torch._dynamo.config
    import torch._functorch.config
    import torch._inductor.config

    # random numbers in networks (dropout) are to be those of an uncompiled run
    torch._inductor.config.fallback_random = True
    # a simultaneous step takes two gradients from one graph
    torch._functorch.config.donated_buffer = False
    if hasattr(torch._functorch.config, "force_non_lazy_backward_lowering"):  # older ones have not
        # else a backward that cannot be compiled shows where gradients are taken
        torch._functorch.config.force_non_lazy_backward_lowering = True
    # PyTorch bears so many versions of a loss, of which earlier stages and runs had some
    torch.compiler.reset()
    limits, stages = torch._dynamo.config, len(borders(updater.stage, updater.length()))
    limits.recompile_limit = max(limits.recompile_limit, stages)
    for name in losses(updater):
        setattr(updater, name, _Compiled(updater, name, say, backend))


def restore_losses(updater: Updater) -> None:
    """The losses as they were before they were compiled."""
    for loss in [one for one in vars(updater).values() if isinstance(one, _Compiled)]:
        setattr(updater, loss.name, loss.eager)


def is_compiled(updater: Updater) -> bool:
    """Whether a loss is, or will be when it is first called."""
    return any(isinstance(one, _Compiled) for one in vars(updater).values())


class _Compiled:
    """One loss; the eager method takes its place again if it cannot be compiled."""

    def __init__(self, updater: Updater, name: str, say: Say, backend: str) -> None:
        import torch

        self.updater, self.name, self.say = updater, name, say
        self.eager = getattr(updater, name)
        self.fast: Any = torch.compile(self.eager, backend=backend, dynamic=False, fullgraph=True)

    def __call__(self, *tensors: Tensor) -> Any:
        from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

        if not self.updater.training:  # a score, of batches of another size
            return self.eager(*tensors)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about PyTorch's compiler itself
                return self.fast(*tensors)
        except (TorchDynamoException, FailOnRecompileLimitHit) as error:
            reason = one_line(error)
        self.say(f"{self.name} is not compiled and stays slower: {reason}")
        setattr(self.updater, self.name, self.eager)
        return self.eager(*tensors)  # not above, where the error's frames hold memory


def cache_folder() -> Path:
    """Where compiled code is kept between runs."""
    return cache.cache_folder() / "inductor"


def repays(seconds: float, iterations: int) -> bool:
    """Whether compiling saves more than it costs in so many iterations of so many seconds each."""
    return SAVED * seconds * iterations > SECONDS


class Trial:
    """Does an updater's work as `make` has it, and in each stage decides by the time of an
    iteration whether it repays to compile the losses too, for the batches of this stage.

    Timed is one of the phase that comes most often, once all that is done once is done. iterations:
    how many there are to come. say: told what is decided, and how long it took.
    """

    def __init__(
        self, updater: Updater, iterations: int, make: Callable[[], Work], say: Say
    ) -> None:
        self.updater, self.make, self.say = updater, make, say
        self._end = updater.iteration + iterations
        self._stage: Stage | None = None

    def __call__(self) -> dict[str, Tensor]:
        """The work of one update."""
        if self.updater.current != self._stage:
            self._begin(self.updater.current)
        return self._now()

    def _begin(self, stage: Stage) -> None:
        self._stage, first = stage, self.updater.iteration
        later = [k for k in borders(self.updater.stage, self._end) if k > first]
        self._until = min(later, default=self._end)
        soon = range(first, max(first + 1, min(self._until, first + WINDOW)))
        self._phase = Counter(map(self.updater.phase, soon)).most_common(1)[0][0]
        self._left = AFTER
        restore_losses(self.updater)
        self._work = self.make()
        self._now: Work = self._try

    def _try(self) -> dict[str, Tensor]:
        if self.updater.phase(self.updater.iteration) == self._phase:
            self._left -= 1
        if self._left:
            return self._work()
        values, seconds = self._timed()
        # time differs between ranks, and all must do the same
        if ranks.from_first(repays(seconds, self._until - self.updater.iteration)):
            self.say(
                f"An iteration takes {seconds:.3g} s so far: compiling the losses, which takes up "
                f"to {SECONDS:.0f} s (kept in {cache_folder()}; --no-compile leaves it out)."
            )
            compile_losses(self.updater, self.say)
            self._work, self._now = self.make(), self._compile
        else:
            self._now = self._work
        return values

    def _compile(self) -> dict[str, Tensor]:
        values, seconds = self._timed()
        self.say(f"Compiled in {seconds:.0f} s.")
        self._now = self._work
        return values

    def _timed(self) -> tuple[dict[str, Tensor], float]:
        device = self.updater.clock.device
        synchronize(device)
        start = time.monotonic()
        values = self._work()
        synchronize(device)
        return values, time.monotonic() - start
