"""How an iteration runs, whatever the algorithm does in it."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganlib.common.augment import probability_of
from ganlib.common.data import DataSpec, Loader
from ganlib.common.seeds import mix
from ganlib.config import AlgorithmConfig
from ganlib.training.device import ranks
from ganlib.training.samples.networks import AVERAGES
from ganlib.training.samples.sample_stream import Sampler
from ganlib.training.update.accumulation import Passes, Shared, Sharing, sort
from ganlib.training.update.adaptation import Adaptation
from ganlib.training.update.draws import Draws
from ganlib.training.update.ema import average_of, follow, left_behind
from ganlib.training.update.frozen import Frozen
from ganlib.training.update.guard import Guard
from ganlib.training.update.observation import checked
from ganlib.training.update.steps import Steps
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
        self.passes = Passes()
        self.frozen = Frozen()
        self.streams = Streams(data, self.passes)
        self.random = Draws(self.passes, lambda: next(self.parameters()))
        self.setup()
        if data is not None:
            self.start_from(data)
        if config.ema_decay:
            self.average = average_of(getattr(self, self.averaged))
            if self.backward is not None:
                self.average_back = average_of(getattr(self, self.backward))
        self.optimizer = self.optimizers()
        self.steps = Steps(self.optimizer, self.passes)
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
        buffers = self._shared() if self.passes.shares > 1 else Shared([], [], [])
        values = self.passes.run(lambda: checked(self.update_core()), buffers)
        if self.config.ada_target:
            values |= self.adaptation.move()
        if self.average is not None:
            # nothing follows once a loss was not finite, as nothing moves
            part = self.now["ema"].masked_fill(~self.guard.ok, 0)
            follow(self.average, getattr(self, self.averaged), part)
            if self.average_back is not None and self.backward is not None:
                follow(self.average_back, getattr(self, self.backward), part)
        return values

    def split(self, passes: int) -> None:
        """Take each batch in so many passes, whose gradients are averaged; and only this rank's
        share of it, where there are several.

        Raises UserError if the batch cannot be shared so, or a later stage's cannot be made.
        """
        self.passes.count = passes
        self.passes.forget()
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
        self.passes.forget()
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
        an algorithm's state. Not the moving average's, which follow.
        """
        left_out = ("clock", "bad", *AVERAGES)
        own = {n: b for n, b in self.named_buffers() if n.partition(".")[0] not in left_out}
        return sort(own, self.shared)

    def _set_now(self) -> None:
        weight, numbers = next(self.parameters()), self.schedule(self._latest)
        numbers["ema"] = self._left_behind(numbers.get("ema_decay"))
        for name, value in numbers.items():
            if name not in self._now or self._now[name].device != weight.device:
                self._now[name] = weight.new_empty(())
            self._now[name].fill_(value)

    def _left_behind(self, decay: float | None) -> float:
        """How far the average goes towards the weights; decay: what schedule() says of it."""
        if decay is not None:
            return 1 - decay
        return left_behind(self.config.ema_decay, self._latest + 1)
