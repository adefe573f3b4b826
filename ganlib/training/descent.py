"""One step of an optimizer: where weights move."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """What it moves, in the order of the groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def check_state(optimizer: Optimizer, state: Mapping[int, Mapping[str, Any]]) -> None:
    """ValueError unless what is kept of a parameter, by its number, has the parameter's shape."""
    parameters = parameters_of(optimizer)
    for number, kept in state.items():
        if not 0 <= number < len(parameters):
            raise ValueError(f"the optimizer has {len(parameters)} parameters and none {number}")
        shape = parameters[number].shape
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.dim() and value.shape != shape:
                raise ValueError(
                    f"{name} of parameter {number} is {tuple(value.shape)}, not {tuple(shape)}"
                )


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
