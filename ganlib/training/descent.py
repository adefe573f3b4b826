"""One step of an optimizer: where weights move; and what it keeps between steps."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer, RMSprop

CAPTURING = {"cuda"}
"""Types of devices whose work can be captured as a graph."""


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


def count_on_device(optimizer: Optimizer) -> None:
    """Let the optimizer keep its count of steps where its parameters are, if graphs are captured
    there: one moves what is on the device alone. Before it loads or makes what it keeps.
    """
    for group in optimizer.param_groups:
        if "capturable" in group and group["params"][0].device.type in CAPTURING:
            group["capturable"] = True


def make_state(optimizer: Optimizer) -> None:
    """Make what the optimizer keeps of the parameters that it has not moved yet, if that is known
    to be zeros: a first step by gradients of 0 is taken, and forgotten.
    """
    if not _starts_from_zeros(optimizer):
        return
    parameters = parameters_of(optimizer)
    new = [p for p in parameters if not optimizer.state.get(p)]
    if new:
        device = new[0].device
        fresh = {id(p) for p in new}
        zeros = [torch.zeros_like(p) if id(p) in fresh else None for p in parameters]
        rates = [torch.zeros((), device=device) for _ in optimizer.param_groups]
        kept = [group["lr"] for group in optimizer.param_groups]
        twin: Any = copy(optimizer)  # of the same state, without what is told of steps
        twin._warned_capturable_if_run_uncaptured = True  # as a new optimizer has it, a copy not
        descend(twin, zeros, rates, torch.zeros((), dtype=torch.bool, device=device))
        for group, rate in zip(optimizer.param_groups, kept, strict=True):
            group["lr"] = rate
        _zero(optimizer, new)


def forget(optimizer: Optimizer) -> bool:
    """Let the optimizer be as a new one, in place, so that a captured graph finds it; False if it
    is not known how.
    """
    known = _starts_from_zeros(optimizer)
    if known:
        _zero(optimizer, parameters_of(optimizer))
    return known


def _starts_from_zeros(optimizer: Optimizer) -> bool:
    """Adagrad and others do not; SGD takes the first gradient whole, which dampening shows."""
    dampened = any(group.get("dampening") for group in optimizer.param_groups)
    return isinstance(optimizer, Adam | RMSprop | SGD) and not dampened


def _zero(optimizer: Optimizer, parameters: Sequence[Tensor]) -> None:
    for parameter in parameters:
        for value in optimizer.state.get(parameter, {}).values():
            if isinstance(value, Tensor):
                value.zero_()


def _as_strided_like(gradient: Tensor, parameter: Tensor) -> Tensor:
    """With channels_last some gradients have other strides than their parameter, which a fused
    optimizer does not expect.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
