"""Steps by the gradients of losses, which are means over the shares of a batch: where weights move,
and what an optimizer keeps between steps.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from math import nan
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer, RMSprop

from ganlib.common.errors import StoppedError, UserError, did_you_mean
from ganlib.training.update.accumulation import MicroBatches


class NonFiniteError(StoppedError):
    """A loss or a gradient became NaN or infinite; the message names the iteration and the loss."""


class Guard(NamedTuple):
    """Against what is not finite, all on the device: no update waits for the host.

    clock: the iteration, int 0-dim. bad: int (2,), the iteration and the number of the first
    loss that was not finite, [-1, -1] for none.
    """

    clock: Tensor
    bad: Tensor

    @property
    def ok(self) -> Tensor:
        """Whether all was finite so far, bool 0-dim."""
        return self.bad[0] < 0

    def note(self, value: Tensor, number: int) -> None:
        """Take down the loss of this number if `value`, 0-dim, is the first that is not finite."""
        first = ~torch.isfinite(value) & self.ok
        self.bad[0] = torch.where(first, self.clock, self.bad[0])
        self.bad[1].masked_fill_(first, number)

    def check(self, names: Sequence[str]) -> None:
        """Raise NonFiniteError, by the losses' names, if one was taken down."""
        iteration, loss = self.bad.tolist()
        if iteration >= 0:
            raise NonFiniteError(
                f"loss_{names[loss]} or its gradient was NaN or infinite at iteration {iteration}."
            )


class Steps:
    """Optimizers, each under the name of the loss that it descends.

    Learning rates are what they are when this is made, times a factor in each step. reached: the
    id() of every parameter that had a gradient in a step so far, whatever its value. norms: of the
    gradient of each loss in its last step, 0-dim tensors by its name, NaN before the first.
    """

    def __init__(self, optimizers: Mapping[str, Optimizer], batches: MicroBatches) -> None:
        self._optimizers, self._batches = optimizers, batches
        self._rates = {name: [g["lr"] for g in o.param_groups] for name, o in optimizers.items()}
        self._made = False
        self.reached: set[int] = set()
        self.norms: dict[str, Tensor] = {}

    def take(self, losses: dict[str, Tensor], factor: Tensor, guard: Guard) -> None:
        """See Updater.step. factor: on every learning rate, 0-dim. UserError for a name that no
        optimizer has.
        """
        self._check("step({}=...)", losses)
        last = next(reversed(losses))
        gradients = {
            name: _gradients(loss, parameters_of(self._optimizers[name]), name != last)
            for name, loss in losses.items()
        }
        for name, of_one in gradients.items():
            pairs = zip(parameters_of(self._optimizers[name]), of_one, strict=True)
            self.reached.update(id(p) for p, g in pairs if g is not None)
        values = [loss.detach().clone() for loss in losses.values()]
        every = [g for of_one in gradients.values() for g in of_one if g is not None]

        def step(means: list[Tensor]) -> None:
            rest = iter(means[len(losses) :])
            for loss, (name, of_one) in zip(means, gradients.items(), strict=False):
                mean = [None if g is None else next(rest) for g in of_one]
                norm = nn.utils.get_total_norm([g for g in mean if g is not None])
                guard.note(loss + norm, list(self._optimizers).index(name))
                if name not in self.norms:  # of a step outside of update()
                    self.norms[name] = torch.zeros_like(norm)
                self.norms[name].copy_(norm)  # which a captured graph does too
                rates = [rate * factor for rate in self._rates[name]]
                descend(self._optimizers[name], mean, rates, guard.ok)

        self._batches.meet([*values, *every], step)

    def make_state(self) -> None:
        """Make all that the optimizers will keep, and the norms, before the first step."""
        if not self._made:
            for name, optimizer in self._optimizers.items():
                count_on_device(optimizer)
                make_state(optimizer)
                if name not in self.norms:
                    self.norms[name] = parameters_of(optimizer)[0].new_full((), nan).detach()
            self._made = True

    def reset(self, name: str) -> None:
        """Let the optimizer of this name be as a new one, in place, so that a captured graph finds
        it; UserError if there is none, or it is of a kind of which that is not known.
        """
        self._check("reset('{}')", [name])
        optimizer = self._optimizers[name]
        if not _starts_from_zeros(optimizer):
            kind = type(optimizer).__name__
            raise UserError(f"reset('{name}'): a new {kind} does not start from zeros.")
        _zero(optimizer, parameters_of(optimizer))

    def state(self) -> dict[str, Any]:
        """What the optimizers keep of their parameters, by name."""
        return {name: o.state_dict()["state"] for name, o in self._optimizers.items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what state() gave; KeyError, ValueError or RuntimeError if it does not fit."""
        for name, optimizer in self._optimizers.items():
            check_state(optimizer, state[name])
            count_on_device(optimizer)
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state[name], "param_groups": groups})
        self._made = False

    def _check(self, call: str, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._optimizers:
                near = did_you_mean(name, self._optimizers)
                raise UserError(f"{call.format(name)}: there is no optimizer '{name}'.{near}")


def _gradients(loss: Tensor, parameters: Sequence[Tensor], retain: bool) -> list[Tensor | None]:
    """Of each parameter, None where the loss does not depend on it or none is required."""
    moving = [p for p in parameters if p.requires_grad]
    rest = iter(torch.autograd.grad(loss, moving, retain_graph=retain, allow_unused=True))
    return [next(rest) if p.requires_grad else None for p in parameters]


CAPTURING = {"cuda"}
"""Types of devices whose work can be captured as a graph."""


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """What it moves, in the order of the groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def check_state(optimizer: Optimizer, state: Mapping[int, Mapping[str, Any]]) -> None:
    """ValueError unless what is kept of a parameter, by its number, has the parameter's shape."""
    parameters = parameters_of(optimizer)
    for number, values in state.items():
        if not 0 <= number < len(parameters):
            raise ValueError(f"the optimizer has {len(parameters)} parameters and none {number}")
        shape = parameters[number].shape
        for name, value in values.items():
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
        twin: Any = copy(optimizer)  # of the same state, without what is told of steps
        twin.param_groups = [group.copy() for group in optimizer.param_groups]
        twin._warned_capturable_if_run_uncaptured = True  # as a new optimizer has it, a copy not
        descend(twin, zeros, rates, torch.zeros((), dtype=torch.bool, device=device))
        _zero(optimizer, new)


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
