"""How an iteration runs, whatever the algorithm does in it."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganlib.common.augment import probability_of
from ganlib.common.data import DataSpec, Loader
from ganlib.common.errors import UserError
from ganlib.common.seeds import mix
from ganlib.config import AlgorithmConfig
from ganlib.training.device import ranks
from ganlib.training.networks import AVERAGES, Frozen, ema_of, ema_rate, update_ema
from ganlib.training.samples.sample_stream import Sampler
from ganlib.training.update.accumulation import Draws, MicroBatches, Shared, Sharing, sort
from ganlib.training.update.adaptation import Adaptation
from ganlib.training.update.steps import Guard, Steps
from ganlib.training.update.streams import Stage, Streams, check


class Iterating(Sampler):
    """Networks that are trained, an iteration at a time. `data` may be None for those that only
    sample.
    """

    # an algorithm's: updater.py says what they are
    update_core: Callable[[], dict[str, Tensor]]
    setup: Callable[[], None]
    start_from: Callable[[Loader], None]
    optimizers: Callable[[], dict[str, Optimizer]]
    schedule: Callable[[int], dict[str, float]]
    stage: Callable[[int], Stage]
    begin: Callable[[Stage], None]
    stage_name: Callable[[int], str]
    length: Callable[[], int]
    shared: ClassVar[Mapping[str, Sharing]]
    clock: Tensor
    bad: Tensor
    ada_seen: Tensor

    def __init__(
        self,
        config: AlgorithmConfig,
        data: Loader | None,
        spec: DataSpec,
        networks: Mapping[str, nn.Module],
    ) -> None:
        super().__init__(config, spec, networks)
        self.iteration = 0
        self._now: dict[str, Tensor] = {}
        self.heard_of_real = False
        """Whether an update has called saw_real()."""
        self._runs = False  # an iteration does; else the one before self.iteration was the last
        self.register_buffer("clock", torch.tensor(0), persistent=False)
        self.register_buffer("bad", torch.tensor([-1, -1]), persistent=False)
        if config.ada_target:
            self.register_buffer("ada_seen", torch.zeros(4))
        self.micro_batches = MicroBatches()
        self.frozen = Frozen()
        self.streams = Streams(data, self.micro_batches)
        self.random = Draws(self.micro_batches, lambda: next(self.parameters()))
        self.setup()
        if data is not None:
            self.start_from(data)
        if config.ema_decay:
            self.average = ema_of(getattr(self, self.averaged))
            if self.backward is not None:
                self.average_back = ema_of(getattr(self, self.backward))
        self.optimizer = self.optimizers()
        self.steps = Steps(self.optimizer, self.micro_batches)
        self._shared()  # a mistake in it is told now
        self.perform: Callable[[], dict[str, Tensor]] = self.iterate
        """How an update does its work: iterate(), or a captured graph of it."""

    @property
    def now(self) -> dict[str, Tensor]:
        """What schedule() says of the iteration that runs or, between two, of the last one, which
        is what samples are of: 0-dim tensors on the device.
        """
        if not self._now:
            self._set_now()
        return self._now

    @property
    def current(self) -> Stage:
        """The stage of that iteration."""
        return self.stage(self._latest)

    @property
    def trained(self) -> dict[str, nn.Module]:
        """The networks that have weights to train, by name."""
        return {
            name: child
            for name, child in self.named_children()
            if name not in AVERAGES and any(True for _ in child.parameters())
        }

    @property
    def guard(self) -> Guard:
        """Against losses and gradients that are not finite."""
        return Guard(self.clock, self.bad)

    @property
    def adaptation(self) -> Adaptation:
        """Of D's augmentation, where the settings have a target."""
        p, c = probability_of(self.get_submodule("dis")), self.config
        return Adaptation(p, self.ada_seen, c.ada_target, c.ada_images)

    def update(self) -> dict[str, Tensor]:
        """One iteration; a function of (weights, seed, iteration) alone. Returns detached 0-dim
        tensors, which hold until the next update.
        """
        self.prepare()
        if self.iteration == 0 or self.current != self.stage(self.iteration - 1):
            self.begin(self.current)
        observation = self.perform()
        self.iteration += 1
        self._runs = False
        return observation

    def prepare(self) -> None:
        """Write down what the next iteration is a function of: seeds, clock, scheduled numbers, the
        size of its batches.
        """
        self._runs = True
        self.steps.make_state()
        self.streams.resize(self.current)
        seed = self.streams.get().seed
        self.random.generator.manual_seed(mix(seed, self.iteration, "update"))
        torch.manual_seed(mix(seed, self.iteration, "network", ranks.rank()))
        self.random.place_bounds(self.spec.marginal)
        self.clock.fill_(self.iteration)
        self._set_now()

    def iterate(self) -> dict[str, Tensor]:
        """The work of one update, all of it on the device."""
        self.random.restart()
        buffers = self._shared() if self.micro_batches.shares > 1 else Shared([], [], [])
        values = self.micro_batches.run(lambda: checked(self.update_core()), buffers)
        if self.config.ada_target:
            values |= self.adaptation.move()
        if self.average is not None:
            # nothing is averaged once a loss was not finite, as nothing moves
            rate = self.now["ema"].masked_fill(~self.guard.ok, 0)
            update_ema(self.average, getattr(self, self.averaged), rate)
            if self.average_back is not None and self.backward is not None:
                update_ema(self.average_back, getattr(self, self.backward), rate)
        return values

    def split(self, count: int) -> None:
        """Take each batch in so many micro-batches, whose gradients are averaged; and only this
        rank's share of it, where there are several.

        Raises UserError if the batch cannot be shared so, or a later stage's cannot be made.
        """
        self.micro_batches.count = count
        self.micro_batches.forget()
        self.streams.resize(self.stage(self.iteration))
        self.streams.split()
        check(self.stage, self.length(), self.streams.get())

    @property
    def images(self) -> int:
        """How many real images training has seen."""
        return self.streams.get().position

    def check_finite(self) -> None:
        """Raise NonFiniteError if an earlier loss or gradient was NaN or infinite."""
        self.guard.check(list(self.optimizer))

    def state(self) -> dict[str, Any]:
        """Everything that training goes on from, as tensors and plain types."""
        return {
            "iteration": self.iteration,
            "revision": len(self.config.revisions()),
            "modules": self.state_dict(),
            "optimizers": self.steps.state(),
            "positions": self.streams.state(),
            "frozen": self.frozen.digests,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what state() gave; KeyError, ValueError or RuntimeError if it does not fit."""
        self.iteration, self._now = state["iteration"], {}
        self.frozen.check(state.get("frozen"))
        self.load_state_dict(state["modules"])
        self.steps.load_state(state["optimizers"])
        self.streams.load_state(state["positions"])
        self.micro_batches.forget()
        self.perform = self.iterate

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Of nn.Module: how networks are moved, here the frozen ones too."""
        for network in self.frozen.networks.values():
            network._apply(fn)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    @property
    def _latest(self) -> int:
        return self.iteration if self._runs else max(0, self.iteration - 1)

    def _shared(self) -> Shared:
        """What a share of the batch changes on its own: running statistics, spectral-norm vectors,
        an algorithm's state. Not the moving average's, which are copies.
        """
        left_out = ("clock", "bad", *AVERAGES)
        own = {n: b for n, b in self.named_buffers() if n.partition(".")[0] not in left_out}
        return sort(own, self.shared)

    def _set_now(self) -> None:
        weight, numbers = next(self.parameters()), self.schedule(self._latest)
        decay = numbers.get("ema_decay")
        rate = ema_rate(self.config.ema_decay, self._latest + 1) if decay is None else 1 - decay
        numbers["ema"] = rate
        for name, value in numbers.items():
            if name not in self._now or self._now[name].device != weight.device:
                self._now[name] = weight.new_empty(())
            self._now[name].fill_(value)


def checked(values: object) -> dict[str, Tensor]:
    """What update_core() returned, as it is, without a look at any value; UserError for what is no
    dict of 0-dim tensors.
    """
    if not isinstance(values, dict):
        raise UserError(
            f"update_core() returned {_kind(values)}: return a dict of the 0-dim tensors to log, "
            'as {"loss_gen": loss_gen}, or {} for none.'
        )
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise UserError(
                f"update_core() returned {_kind(value)} as '{name}': return the tensor itself, "
                "without .item()."
            )
        if value.dim():
            raise UserError(
                f"update_core() returned a tensor {tuple(value.shape)} as '{name}': return its "
                "mean, which is 0-dim, without .item()."
            )
    return values


def _kind(value: object) -> str:
    return "None" if value is None else f"something of the type {type(value).__name__}"
