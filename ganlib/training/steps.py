"""Steps by the gradients of losses, which are means over the shares of a batch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganlib.common.errors import UserError, did_you_mean
from ganlib.training.descent import (
    check_state,
    count_on_device,
    descend,
    forget,
    make_state,
    parameters_of,
)
from ganlib.training.guard import Guard
from ganlib.training.passes import Passes


class Steps:
    """Optimizers, each under the name of the loss that it descends.

    Learning rates are what they are when this is made, times a factor in each step. reached: the
    id() of every parameter that had a gradient in a step so far, whatever its value.
    """

    def __init__(self, optimizers: Mapping[str, Optimizer], passes: Passes) -> None:
        self._optimizers, self._passes = optimizers, passes
        self._rates = {name: [g["lr"] for g in o.param_groups] for name, o in optimizers.items()}
        self._made = False
        self.reached: set[int] = set()

    def take(self, losses: dict[str, Tensor], factor: Tensor, guard: Guard) -> None:
        """Descend losses[name] by the optimizer of that name: all gradients first, then all steps.

        factor: 0-dim. Parameters that require no gradient stand still, and so does everything once
        a loss or a gradient was not finite. UserError for a name that no optimizer has.
        """
        self._check("step({}=...)", losses)
        last = next(reversed(losses))
        gradients = {
            name: _gradients(loss, parameters_of(self._optimizers[name]), name != last)
            for name, loss in losses.items()
        }
        self._note(gradients)
        values = [loss.detach().clone() for loss in losses.values()]
        given = [g for of_one in gradients.values() for g in of_one if g is not None]

        def step(means: list[Tensor]) -> None:
            rest = iter(means[len(losses) :])
            for loss, (name, of_one) in zip(means, gradients.items(), strict=False):
                mean = [None if g is None else next(rest) for g in of_one]
                self._descend(name, loss, mean, factor, guard)

        self._passes.meet([*values, *given], step)

    def make_state(self) -> None:
        """Make all that the optimizers will keep, before the first step."""
        if not self._made:
            for optimizer in self._optimizers.values():
                count_on_device(optimizer)
                make_state(optimizer)
            self._made = True

    def reset(self, name: str) -> None:
        """Let the optimizer of this name be as a new one, in place; UserError if there is none, or
        it is of a kind of which that is not known.
        """
        self._check("reset('{}')", [name])
        if not forget(self._optimizers[name]):
            kind = type(self._optimizers[name]).__name__
            raise UserError(f"reset('{name}'): a new {kind} does not start from zeros.")

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

    def _note(self, gradients: Mapping[str, Sequence[Tensor | None]]) -> None:
        for name, of_one in gradients.items():
            pairs = zip(parameters_of(self._optimizers[name]), of_one, strict=True)
            self.reached.update(id(p) for p, g in pairs if g is not None)

    def _descend(
        self,
        name: str,
        loss: Tensor,
        gradients: Sequence[Tensor | None],
        factor: Tensor,
        guard: Guard,
    ) -> None:
        given = [g for g in gradients if g is not None]
        guard.note(loss + nn.utils.get_total_norm(given), list(self._optimizers).index(name))
        rates = [rate * factor for rate in self._rates[name]]
        descend(self._optimizers[name], gradients, rates, guard.ok)


def _gradients(loss: Tensor, parameters: Sequence[Tensor], retain: bool) -> list[Tensor | None]:
    """Of each parameter, None where the loss does not depend on it or none is required."""
    moving = [p for p in parameters if p.requires_grad]
    rest = iter(torch.autograd.grad(loss, moving, retain_graph=retain, allow_unused=True))
    return [next(rest) if p.requires_grad else None for p in parameters]
