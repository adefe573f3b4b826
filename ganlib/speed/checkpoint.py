"""Memory for time: blocks of a network keep only what goes into them, and compute the rest again
when gradients ask for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.checkpoint import checkpoint

from ganlib.common.override import override

Buffers = list[tuple[nn.Module, str, Tensor]]


def checkpoint_blocks(network: nn.Module) -> int:
    """Make the blocks of `network` compute twice what they would keep for gradients; returns how
    many there are.

    Values, gradients (those of gradients too) and buffers stay the same to the last bit. In
    evaluation mode nothing changes, nor in a penalty by torch.func.grad.
    """
    found = list(blocks(network))
    for block in found:
        override(block, {"forward": _twice(type(block).forward)})
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


def _twice(forward: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(forward)
    def run(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not self.training or not torch.is_grad_enabled() or _in_functional_gradient():
            return forward(self, *args, **kwargs)
        return checkpoint(
            _Pass(self, forward), *args, use_reentrant=False, preserve_rng_state=False, **kwargs
        )

    return run


def _in_functional_gradient() -> bool:
    """Whether torch.func differentiates, which allows no hooks on what is kept. Little is lost: the
    second derivative of a penalty would keep what was computed again.
    """
    return torch._C._functorch.peek_interpreter_stack() is not None


class _Pass:
    """A forward pass of a block; each further call does it again, from the buffers that there were
    before it and with the numbers that it drew, and leaves the buffers that there are now.
    """

    def __init__(self, block: nn.Module, forward: Callable[..., Any]) -> None:
        self._block, self._forward = block, forward
        self._before: Buffers = [
            (module, name, _copy(buffer))
            for module in block.modules()
            for name, buffer in module.named_buffers(recurse=False)
        ]
        # not a generator's state, which cannot be asked for while a CUDA graph is captured
        self._draws: list[Any] = []
        self._done = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._done:
            with _having(self._before), _Drawing(_giving(self._draws)):
                return self._forward(self._block, *args, **kwargs)
        self._done = True
        with _Drawing(_keeping(self._draws)):
            return self._forward(self._block, *args, **kwargs)


# --- Buffers


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


# --- Random numbers: dropout, noise


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


def _keeping(draws: list[Any]) -> Callable[..., Any]:
    def draw(func: Any, *args: Any, **kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        draws.append(tree_map(Tensor.clone, result))  # dropout scales its mask in place
        return result

    return draw


def _giving(draws: list[Any]) -> Callable[..., Any]:
    left = iter(draws)

    def draw(func: Any, *args: Any, **kwargs: Any) -> Any:
        drawn = next(left)
        return args[0].copy_(drawn) if func._schema.is_mutable else tree_map(Tensor.clone, drawn)

    return draw
