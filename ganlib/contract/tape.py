"""A stand-in for a CUDA graph on any device: it records every operation and does them again.

Like a graph it knows only operations and the tensors that they read and write. A number that
Python worked out, or a branch that it took, stays what it was at the recording; reading the value
of a tensor is an error.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from ganlib.speed.graph import Recorder
from ganlib.training.update.accumulation import Values

aten = torch.ops.aten
READS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.equal.default}


def place(t: Tensor) -> tuple[Any, ...]:
    """Where a tensor lies: autograd may hand out another object for the same memory."""
    return t.untyped_storage()._cdata, t.storage_offset(), t.shape, t.stride(), t.dtype


class Waits(TorchFunctionMode):
    """Refuses what would copy a number of the host's to the GPU, which a capture does not allow."""

    MAKERS = {torch.tensor, torch.as_tensor, torch.from_numpy}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        numbers = [a for a in args if isinstance(a, int | float)]
        made = func in self.MAKERS and (kwargs or {}).get("device") != "cpu"
        if made or (func is torch.where and numbers):
            raise RuntimeError(f"{func.__name__} copies a number to the device: it would wait")
        return func(*args, **(kwargs or {}))


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The operations that ran in it, in order."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.made: set[int] = set()  # storages that an operation made
        self.before: dict[int, tuple[Any, Any]] = {}  # storages from outside, and what they held

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READS:
            raise RuntimeError(f"{func} reads the value of a tensor")
        kwargs = kwargs or {}
        read = tensors([args, kwargs])
        self._keep(read)
        result = func(*args, **kwargs)
        made = tensors(result)
        old = {t.untyped_storage()._cdata for t in read}
        self.made |= {t.untyped_storage()._cdata for t in made} - old
        self.calls.append((func, args, kwargs, made))
        return result

    def _keep(self, read: list[Tensor]) -> None:
        # whether it will be changed or not: batch normalisation does not say so in its schema
        for storage in (t.untyped_storage() for t in read):
            if storage._cdata not in self.made and storage._cdata not in self.before:
                content = storage.clone()  # type: ignore[no-untyped-call]
                self.before[storage._cdata] = (storage, content)

    def undo(self) -> None:
        """Put back what the recording changed."""
        for storage, content in self.before.values():
            storage.copy_(content)

    def replay(self, values: Values) -> None:
        """Do everything again; `values` are overwritten."""
        now: dict[Any, Tensor] = {}

        def current(t: Any) -> Any:
            if not isinstance(t, Tensor) or t.untyped_storage()._cdata not in self.made:
                return t
            return now[place(t)]

        for func, args, kwargs, made in self.calls:
            new = tensors(func(*tree_map(current, args), **tree_map(current, kwargs)))
            now |= {place(old): t for old, t in zip(made, new, strict=True)}
        for value in values.values():
            value.copy_(current(value))


def tensors(tree: Any) -> list[Tensor]:
    """Every tensor in nested containers."""
    return [t for t in tree_leaves(tree) if isinstance(t, Tensor)]


class TapeRecorder(Recorder):
    """What ganlib.speed.graph asks for, with a tape."""

    def __call__(
        self, body: Callable[[], Values], random: torch.Generator
    ) -> tuple[Values, Callable[[], None]]:
        tape, state = Tape(), random.get_state()
        try:
            with torch.random.fork_rng(), Waits(), tape:
                values = body()
        finally:
            random.set_state(state)
            tape.undo()

        def replay() -> None:
            with torch.no_grad():
                tape.replay(values)

        return values, replay


record = TapeRecorder()


def prepare(monkeypatch: Any, *updaters: Any) -> None:
    """Let the optimizers of updaters do what they do on a GPU: RMSprop keeps its step count, and
    takes its learning rate, as tensors.
    """
    module = sys.modules["torch.optim.rmsprop"]  # torch.optim takes its name away
    monkeypatch.setattr(module, "_get_capturable_supported_devices", lambda: ["cpu"])
    for optimizer in (o for updater in updaters for o in updater.optimizer.values()):
        for group in optimizer.param_groups:
            if isinstance(optimizer, torch.optim.RMSprop):
                group |= {"capturable": True, "foreach": True}
