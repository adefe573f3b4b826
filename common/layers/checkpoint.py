"""Activation checkpointing, memory for time: modules that keep what goes into them and compute the
rest again when gradients ask for it. Chen et al. 2016, https://arxiv.org/abs/1604.06174.

torch.utils.checkpoint gives the same bits, with buffers and random numbers handled as here, but of
a gradient penalty it keeps all that it computed again, and so saves nothing: at the peak of 12
of srgan's residual blocks there are 127 tensors as of plain ones, and 83 by what is here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from ganlib.common.layers.basic import override

Forward = Callable[..., Any]
Saved = Tensor | Callable[[], Tensor]
"""What autograd keeps: a tensor, or what finds it."""


def checkpoint_blocks(network: nn.Module) -> int:
    """Make the blocks of `network` compute twice what they would keep for gradients; returns how
    many there are.

    Values, gradients (those of gradients too) and buffers stay the same to the last bit. In
    evaluation mode nothing changes, nor under torch.func.grad.
    """
    found = list(blocks(network))
    for block in found:
        override(block, {"forward": recomputing(type(block).forward)})
    return len(found)


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The elements with parts of their own of each outermost nn.Sequential and nn.ModuleList; an
    nn.Sequential that has none such is a block itself.
    """
    parts = list(module.children())
    if not isinstance(module, nn.Sequential | nn.ModuleList):
        for part in parts:
            yield from blocks(part)
        return
    found = [part for part in parts if any(True for _ in part.children())]
    for part in found:
        yield from blocks(part) if isinstance(part, nn.ModuleList) else (part,)
    if parts and not found and isinstance(module, nn.Sequential):
        yield module


def recomputing(forward: Forward) -> Forward:
    """The same forward(module, ...) of a module, of which autograd keeps the arguments alone.

    Values, gradients and buffers are those of the plain call to the last bit: the second time
    starts from the buffers of the first, draws what it drew, and leaves the buffers that there are.
    RuntimeError, when gradients are taken, if weights or arguments were changed since.
    """

    @wraps(forward)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        # torch.func, which differentiates then, allows no hooks on what autograd keeps
        functional = torch._C._are_functorch_transforms_active()
        if not self.training or not torch.is_grad_enabled() or functional:
            return forward(self, *args, **kwargs)
        call = _Call(self, forward, args, kwargs)
        with saved_tensors_hooks(call.save, _load), call.draws:
            return call()

    return run


@contextmanager
def for_second_derivatives() -> Iterator[None]:
    """Around autograd.grad(create_graph=True): of what it computes again, its graph keeps nothing
    either.
    """
    with saved_tensors_hooks(_save_again, _load):
        yield


class _Call(nn.Module):
    """One call of a module."""

    latest: "Callable[[], _Call | None]" = lambda: None
    """The last one that was computed again, and the only one whose values are there: gradients go
    through a network call by call.
    """

    def __init__(
        self, module: nn.Module, forward: Forward, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        super().__init__()
        self.module = module
        self.forward = partial(forward, module, *args, **kwargs)
        self.draws = _Draws()
        self.values: list[Tensor] = []
        self.number: dict[Any, int] = {}  # of the value at a place in memory
        self.count = 0
        self.before = {name: t.clone() for name, t in self.named_buffers()}
        inputs = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        self.versions = {t: t._version for t in (*inputs, *module.parameters())}
        kind = next((t.device.type for t in self.versions if not t.is_meta), "cpu")
        dtype, enabled = torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)
        self.autocast = torch.autocast(kind, dtype, enabled)

    def save(self, _: Tensor) -> Callable[[], Tensor]:
        """What autograd keeps in place of the next tensor that it will need."""
        self.count += 1
        return partial(self.find, self.count - 1)

    def find(self, k: int) -> Tensor:
        """The k-th of these tensors."""
        if not self.values:
            latest = _Call.latest()
            if latest is not None:
                latest.values, latest.number = [], {}
            _Call.latest = ref(self)
            self.values = self._compute_again()
            self.number = {_place(value): k for k, value in enumerate(self.values)}
        return self.values[k]

    def _compute_again(self) -> list[Tensor]:
        if any(t._version != version for t, version in self.versions.items()):
            raise RuntimeError("What a block computed from was changed before its gradients.")
        values: list[Tensor] = []

        def collect(value: Tensor) -> None:
            values.append(value.detach())
            if len(values) == self.count:
                raise _Enough

        with (
            suppress(_Enough),
            torch.enable_grad(),
            self.autocast,
            self.draws.repeated(),
            saved_tensors_hooks(collect, _load),
        ):
            torch.func.functional_call(self, tree_map(Tensor.clone, self.before), ())
        if len(values) != self.count:
            raise RuntimeError("A block computed something else the second time.")
        return values


class _Enough(Exception):
    """All that gradients need has been computed."""


def _load(saved: Saved) -> Tensor:
    return saved if isinstance(saved, Tensor) else saved()


def _save_again(value: Tensor) -> Saved:
    """A value that a call computed again, as what finds it; others as they are."""
    call = _Call.latest()
    k = None if call is None else call.number.get(_place(value))
    return value if call is None or k is None else partial(call.find, k)


def _place(t: Tensor) -> tuple[Any, ...]:
    return t.untyped_storage()._cdata, t.storage_offset(), t.shape, t.stride(), t.dtype


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What is drawn inside (dropout, noise), and within repeated() the same again.

    Not a generator's state, which a CUDA graph that is being captured does not tell.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._drawn: list[Any] = []
        self._left: Iterator[Any] | None = None

    def repeated(self) -> "_Draws":
        """The context in which the same is drawn from the first on."""
        self._left = iter(self._drawn)
        return self

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **(kwargs or {}))
        if self._left is None:
            result = func(*args, **(kwargs or {}))
            self._drawn.append(tree_map(Tensor.clone, result))  # dropout scales its mask in place
            return result
        drawn = next(self._left)
        return args[0].copy_(drawn) if func._schema.is_mutable else tree_map(Tensor.clone, drawn)
