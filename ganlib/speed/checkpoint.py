"""Memory for time: blocks of a network keep only what goes into them, and compute the rest again
when gradients ask for it.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import torch
from torch import nn

from ganlib.common.layers.override import override
from ganlib.common.layers.recompute import recomputed


def checkpoint_blocks(network: nn.Module) -> int:
    """Make the blocks of `network` compute twice what they would keep for gradients; returns how
    many there are.

    Values, gradients (those of gradients too) and buffers stay the same to the last bit. In
    evaluation mode nothing changes, nor under torch.func.grad.
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
        return recomputed(self, forward, *args, **kwargs)

    return run


def _in_functional_gradient() -> bool:
    """Whether torch.func differentiates, which allows no hooks on what autograd keeps."""
    return torch._C._functorch.peek_interpreter_stack() is not None
