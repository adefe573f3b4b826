"""Modules that keep what goes into them and compute the rest again when gradients ask for it:
Chen et al. 2016, https://arxiv.org/abs/1604.06174.

torch.utils.checkpoint moves buffers twice, asks for the state of generators, which a CUDA graph
that is being captured does not tell, and keeps for second derivatives all that it computed again.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

Forward = Callable[..., Any]
Buffers = list[tuple[nn.Module, str, Tensor]]


def recomputed(module: nn.Module, forward: Forward, *args: Any, **kwargs: Any) -> Any:
    """forward(module, *args, **kwargs), of which autograd keeps the arguments alone.

    Values, gradients and buffers are those of the plain call to the last bit: the second time
    starts from the buffers of the first, draws what it drew, and leaves the buffers that there are.
    RuntimeError, when gradients are taken, if weights or arguments were changed since.
    """
    call = _Call(module, forward, args, kwargs)
    with saved_tensors_hooks(call.note, _Kept.find), _keeping(call.draws):
        return call.compute()


@contextmanager
def for_second_derivatives() -> Iterator[None]:
    """Around autograd.grad(create_graph=True): of what it computes again, its graph keeps nothing
    either.
    """
    with saved_tensors_hooks(_known, _found):
        yield


class _Call:
    """One call of a module."""

    latest: "ref[_Call] | None" = None
    """The last one that was computed again, and the only one whose values are there: gradients go
    through a network call by call.
    """

    def __init__(
        self, module: nn.Module, forward: Forward, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.compute: Callable[[], Any] = lambda: forward(module, *args, **kwargs)
        self.draws: list[Any] = []
        self.values: list[Tensor] = []
        self.number: dict[Any, int] = {}  # of the value at a place in memory
        self._count = 0
        self._before = _buffers(module)
        given = [*tree_leaves((args, kwargs)), *module.parameters()]
        self._given = [t for t in given if isinstance(t, Tensor)]
        self._versions = [t._version for t in self._given]
        self._autocast = _autocast(self._given[0].device.type if self._given else "cpu")

    def note(self, _: Tensor) -> "_Kept":
        """What autograd keeps in place of the next tensor that it will need."""
        self._count += 1
        return _Kept(self, self._count - 1)

    def find(self, k: int) -> Tensor:
        """The k-th of these tensors."""
        if not self.values:
            latest = _latest()
            if latest is not None:
                latest.values, latest.number = [], {}
            _Call.latest = ref(self)
            self.values = self._compute_again()
            self.number = {_place(value): k for k, value in enumerate(self.values)}
        return self.values[k]

    def _compute_again(self) -> list[Tensor]:
        if self._versions != [t._version for t in self._given]:
            raise RuntimeError("What a block computed from was changed before its gradients.")
        values: list[Tensor] = []

        def collect(value: Tensor) -> None:
            values.append(value.detach())
            if len(values) == self._count:
                raise _Enough

        with (
            suppress(_Enough),
            torch.enable_grad(),
            self._autocast,
            _having(self._before),
            _giving(self.draws),
            saved_tensors_hooks(collect, _never),
        ):
            self.compute()
        if len(values) != self._count:
            raise RuntimeError("A block computed something else the second time.")
        return values


class _Kept(NamedTuple):
    """What autograd keeps in place of a tensor."""

    call: _Call
    k: int

    def find(self) -> Tensor:
        """The tensor."""
        return self.call.find(self.k)


class _Enough(Exception):
    """All that gradients need has been computed."""


def _never(_: Any) -> Tensor:
    raise AssertionError("nobody asks for gradients of what was computed again")


def _latest() -> _Call | None:
    return None if _Call.latest is None else _Call.latest()


def _known(value: Tensor) -> "Tensor | _Kept":
    """A value that a call computed again, as what finds it; others as they are."""
    call = _latest()
    k = None if call is None else call.number.get(_place(value))
    return value if call is None or k is None else _Kept(call, k)


def _found(kept: "Tensor | _Kept") -> Tensor:
    return kept.find() if isinstance(kept, _Kept) else kept


def _place(t: Tensor) -> tuple[Any, ...]:
    return t.data_ptr(), t.shape, t.stride(), t.dtype


def _autocast(kind: str) -> torch.autocast:
    """As it is now."""
    return torch.autocast(
        kind,
        torch.get_autocast_dtype(kind),
        torch.is_autocast_enabled(kind),
        torch.is_autocast_cache_enabled(),
    )


# --- Buffers


def _buffers(module: nn.Module) -> Buffers:
    return [
        (part, name, _copy(buffer))
        for part in module.modules()
        for name, buffer in part.named_buffers(recurse=False)
    ]


@contextmanager
def _having(buffers: Buffers) -> Iterator[None]:
    """The modules with copies of these buffers in place of their own."""
    now = [getattr(module, name) for module, name, _ in buffers]
    for module, name, buffer in buffers:
        setattr(module, name, _copy(buffer))
    try:
        yield
    finally:
        for (module, name, _), own in zip(buffers, now, strict=True):
            setattr(module, name, own)


def _copy(buffer: Tensor) -> Tensor:
    """One to move; a buffer that has a graph, as SNLayer's sigma, is not moved."""
    return buffer if buffer.requires_grad else buffer.clone()


# --- Random numbers (dropout, noise), which are kept


class _Drawing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """In it `draw` is called in place of every operation that draws."""

    def __init__(self, draw: Callable[..., Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._draw = draw

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        draws = torch.Tag.nondeterministic_seeded in func.tags
        return (self._draw if draws else _do)(func, *args, **(kwargs or {}))


def _do(func: Any, *args: Any, **kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _keeping(draws: list[Any]) -> AbstractContextManager[Any]:
    """In it, what is drawn is added to `draws`."""

    def draw(func: Any, *args: Any, **kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        draws.append(tree_map(Tensor.clone, result))  # dropout scales its mask in place
        return result

    return _Drawing(draw)


def _giving(draws: list[Any]) -> AbstractContextManager[Any]:
    """In it, what is drawn is taken from `draws`."""
    left = iter(draws)

    def draw(func: Any, *args: Any, **kwargs: Any) -> Any:
        drawn = next(left)
        return args[0].copy_(drawn) if func._schema.is_mutable else tree_map(Tensor.clone, drawn)

    return _Drawing(draw)
