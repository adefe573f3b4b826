"""One step of an optimizer: where weights move."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """What it moves, in the order of the groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def descend(
    optimizer: Optimizer, gradients: Sequence[Tensor | None], rates: Sequence[Tensor], ok: Tensor
) -> None:
    """Step by the gradients, one for each of its parameters or None.

    rates: 0-dim, a learning rate for each group. ok: 0-dim bool; where it is false nothing moves.
    """
    any_optimizer: Any = optimizer
    # what GradScaler uses: a fused optimizer skips its step where found_inf is 1
    skips = getattr(optimizer, "_step_supports_amp_scaling", False)
    if skips:
        any_optimizer.grad_scale, any_optimizer.found_inf = None, (~ok).float()
    for parameter, gradient in zip(parameters_of(optimizer), gradients, strict=True):
        if gradient is not None:
            gradient = gradient if skips else gradient.masked_fill(~ok, 0)
            gradient = _as_strided_like(gradient, parameter)
        parameter.grad = gradient
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate.masked_fill(~ok, 0).float()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _as_strided_like(gradient: Tensor, parameter: Tensor) -> Tensor:
    """With channels_last some gradients have other strides than their parameter, which a fused
    optimizer does not expect.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
