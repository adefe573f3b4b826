"""Compiled updates: every method loss_* of an updater as one function of torch.compile, and every
pass of a network outside of these.

A loss, from tensors to a 0-dim tensor, has networks and penalty inside of it, because torch.compile
cannot differentiate twice through what it has compiled.
"""

import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from ganlib.common.errors import one_line
from ganlib.common.io import cache
from ganlib.common.layers.basic import override_entries
from ganlib.moved import renamed
from ganlib.training.device import ranks
from ganlib.training.device.devices import synchronize
from ganlib.training.update.streams import Stage, borders
from ganlib.training.updater import Updater

if not TYPE_CHECKING:  # mypy would find every name here
    __getattr__ = renamed(__name__, compile_losses="compile_update")

Say = Callable[[str], None]
Work = Callable[[], dict[str, Tensor]]

SECONDS = 85.0
"""What compiling costs, where nothing is kept of it yet: 55 to 77 s for the losses of residual
networks of 32 pixels on an H100, and an eighth more, as a CPU takes, for passes outside of them."""
SAVED = 0.3
"""The part of a captured iteration's time that compiling saves at least: 0.35 to 0.5 of those
networks', in TF32 and in bfloat16."""
AFTER = 6
"""Iterations of the commonest phase before the decision; the last is timed. Three warm up for a
graph, and a first replay is slower."""
VERSIONS = 4
"""Of a network's pass in a stage: for two of one class, with gradients and without."""
TWICE = "its gradients are differentiated, outside of a loss_*"
COMPILING = 2
"""Iterations in which it is compiled: losses in the first, other passes in the second."""
WINDOW = 1000
"""Iterations in which the commonest phase is looked for."""


def compile_update(updater: Updater, say: Say, backend: str = "inductor") -> None:
    """Replace each loss, and what networks do outside of losses, by its compiled form; the work is
    done when it is first called.

    What cannot be compiled stays as it is, and `say` is told why in one line. So does what is
    differentiated twice: the first iteration of each phase, in which passes outside of losses are
    still eager, finds it out.
    """
    _configure(updater)
    units: list[_Compiled] = []
    losses = [name for name in dir(type(updater)) if name.startswith("loss_")]
    before: list[Any] = [(m, "__class__", type(m)) for m in updater.modules() if m is not updater]
    before += [(updater, name, getattr(updater, name)) for name in losses]
    vars(updater)["compiled"] = units, before
    for name in losses:
        units.append(_Compiled(updater, name, getattr(updater, name), say, backend))
        setattr(updater, name, units[-1])
    for home, network in updater.trained.items():

        def compiled(name: str, method: Callable[..., Any], home: str = home) -> Callable[..., Any]:
            unit = _Compiled(updater, f"{home}.{name}", method, say, backend, watches=True)
            units.append(unit)

            def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
                inside = torch.compiler.is_compiling() or not self.training
                return (method if inside else unit)(self, *args, **kwargs)

            return run

        override_entries(network, compiled)


def _configure(updater: Updater) -> None:
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
    # PyTorch bears so many versions of a function, of which earlier stages and runs had some
    torch.compiler.reset()
    limits, stages = torch._dynamo.config, len(borders(updater.stage, updater.length()))
    limits.recompile_limit = max(limits.recompile_limit, VERSIONS * stages)


def restore_update(updater: Updater) -> None:
    """The losses and networks as they were before they were compiled."""
    _, before = vars(updater).pop("compiled", ((), ()))
    for place, name, value in before:
        setattr(place, name, value)


def is_compiled(updater: Updater) -> bool:
    """Whether a part is, or will be when it is first called."""
    units, _ = vars(updater).get("compiled", ((), ()))
    return any(unit.fast for unit in units)


class _Compiled:
    """One function; the eager one takes its place again if it cannot be compiled.

    watches: whether in the first iteration of each phase the eager one runs, to stay if a gradient
    of what it gives has a graph too.
    """

    def __init__(
        self, updater: Updater, name: str, eager: Any, say: Say, backend: str, watches: bool = False
    ) -> None:
        self.updater, self.name, self.eager, self.say = updater, name, eager, say
        self.watches, self._first = watches, dict[Hashable, int]()
        self.fast: Any = torch.compile(eager, backend=backend, dynamic=False, fullgraph=True)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

        if self.fast is None or not self.updater.training:  # a score, of batches of another size
            return self.eager(*args, **kwargs)
        now, phase = self.updater.iteration, self.updater.phase(self.updater.iteration)
        first = self._first.setdefault((self.updater.current, phase), now)
        if self.watches and now == first:
            return tree_map_only(Tensor, self._watch, self.eager(*args, **kwargs))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about PyTorch's compiler itself
                return self.fast(*args, **kwargs)
        except (TorchDynamoException, FailOnRecompileLimitHit) as error:
            reason = one_line(error)
        self.stay(reason)
        return self.eager(*args, **kwargs)  # not above, where the error's frames hold memory

    def stay(self, reason: str) -> None:
        """The eager one from now on."""
        if self.fast is not None:
            self.say(f"{self.name} is not compiled and stays slower: {reason}")
        self.fast = None

    def _watch(self, x: Any) -> Any:
        if x.requires_grad:
            x.register_hook(lambda _: self.stay(TWICE) if torch.is_grad_enabled() else None)
        return x


def cache_folder() -> Path:
    """Where compiled code is kept between runs."""
    return cache.cache_folder() / "inductor"


def repays(seconds: float, iterations: int) -> bool:
    """Whether compiling saves more than it costs in so many iterations of so many seconds each."""
    return SAVED * seconds * iterations > SECONDS


class Trial:
    """Does an updater's work as `make` has it, and in each stage decides by the time of an
    iteration whether it repays to compile it too, for the batches of this stage.

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
        if not self._left:
            return self._work()
        self._left -= self.updater.phase(self.updater.iteration) == self._phase
        device, start = self.updater.clock.device, time.monotonic()
        values = self._work()
        synchronize(device)
        self._seconds.append(time.monotonic() - start)
        if not self._left:
            self._decide()
        return values

    def _begin(self, stage: Stage) -> None:
        self._stage, first = stage, self.updater.iteration
        later = [k for k in borders(self.updater.stage, self._end) if k > first]
        self._until = min(later, default=self._end)
        soon = range(first, max(first + 1, min(self._until, first + WINDOW)))
        self._phase = Counter(map(self.updater.phase, soon)).most_common(1)[0][0]
        self._left, self._compiling, self._seconds = AFTER, False, list[float]()
        restore_update(self.updater)
        self._work = self.make()

    def _decide(self) -> None:
        """Once as many iterations as it takes were timed."""
        seconds = self._seconds[-1]
        if self._compiling:
            self.say(f"Compiled in {sum(self._seconds[-COMPILING:]):.0f} s.")
        # time differs between ranks, and all must do the same
        elif ranks.from_first(repays(seconds, self._until - self.updater.iteration)):
            self.say(
                f"An iteration takes {seconds:.3g} s so far: compiling it, which takes up "
                f"to {SECONDS:.0f} s (kept in {cache_folder()}; --no-compile leaves it out)."
            )
            compile_update(self.updater, self.say)
            self._work, self._left, self._compiling = self.make(), COMPILING, True
