"""The waist of the library: update() trains, sample() shows. An algorithm writes update_core().

What samples are is in samples/sample_stream.py.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ganlib.common.augment import Adaptation, is_probability
from ganlib.common.data import DataSet, DataSpec, Loader
from ganlib.common.generator import Generator
from ganlib.common.losses import LeCam
from ganlib.common.seeds import mix, seed_layers
from ganlib.config import AlgorithmConfig
from ganlib.training.device import ranks
from ganlib.training.networks import AVERAGES, Frozen, ema_of, ema_rate, update_ema
from ganlib.training.samples.sample_stream import Sampler
from ganlib.training.update.accumulation import Draws, MicroBatches, Shared, Sharing, sort
from ganlib.training.update.steps import Guard, Steps
from ganlib.training.update.streams import Stage, Streams, check


class Updater(Sampler):
    """An algorithm: networks, their optimizers and one training iteration.

    An nn.Module: what a subclass registers (networks, buffers) is moved, saved and resumed. The
    networks are attributes under their names.

    config: the settings. spec: the shapes of the images. iteration: how many are done. clock: the
    same on the device, int64, 0-dim. now: what schedule() says for this iteration, 0-dim tensors on
    the device. current: the stage() of this iteration. In generate(), which samples too, both are
    those of the last iteration that ran.
    """

    dis: nn.Module
    averaged = "gen"
    """Name of the network that the moving average follows and that sample() uses."""
    backward: str | None = None
    """Name of a network that goes back, from images to sources: a Generator too, with a moving
    average of its own, by which a model that is turned samples (`--back`).
    """
    shared: ClassVar[Mapping[str, Sharing]] = {}
    """How buffers are shared where a batch is, by name: {"pool": "equal"}; see Shared."""
    later: ClassVar[Collection[str]] = ()
    """Names of networks that wait for a stage or a phase that is to come."""

    clock: Tensor
    bad: Tensor
    ada_seen: Tensor

    # ---- what an algorithm writes ------------------------------------------------------------

    def update_core(self) -> dict[str, Tensor]:
        """One iteration of the paper's algorithm box; returns 0-dim tensors to log, without
        .item().
        """
        raise TypeError(f"{type(self).__name__} has no update_core()")

    def setup(self) -> None:
        """First of all: register buffers, the algorithm's own state."""

    def start_from(self, data: Loader) -> None:
        """Then, where there are data to train on and before anything is made of the networks: let
        weights start from a batch, make streams over other data, freeze() networks.
        """

    def remarks(self) -> list[str]:
        """Lines that a run says once, at its start."""
        return []

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam per network, under its name."""
        return {name: self.adam(network) for name, network in self.trained.items()}

    def generate(self, gen: Generator, code: Tensor, y: Tensor | None) -> Tensor:
        """Images from codes, z if gen has no others, float NCHW in [-1, 1]."""
        return gen.draw(code, y)

    def phase(self, iteration: int) -> Hashable:
        """What the shape of an iteration depends on: equal phases do the same work."""
        return ()

    def stage(self, iteration: int) -> Stage:
        """The size of an iteration's batches and of the images in them; see update/streams.py."""
        return Stage(self.config.batch_size)

    def begin(self, stage: Stage) -> None:
        """Before the first iteration of a stage: reset() optimizers."""

    def length(self) -> int:
        """How many iterations training takes."""
        return self.config.max_iter

    def stage_name(self, iteration: int) -> str:
        """The stage of an iteration in a few words, for the lines of a run; "" where all that there
        is are whole images.
        """
        stage, whole = self.stage(iteration), self.spec.image[1:]
        height, width = size = stage.size or whole
        alone = stage == self.stage(0) == self.stage(max(0, self.length() - 1))
        return "" if alone and size == whole else f"{height}x{width}"

    def schedule(self, iteration: int) -> dict[str, float]:
        """Numbers that follow from the iteration alone; update_core() finds them as 0-dim tensors
        in self.now. "lr" is the factor on every learning rate; "ema_decay", if it is there, the
        moving average's decay, in place of the settings' with its ramp.
        """
        return {"lr": self.decayed(iteration / self.length())}

    def decayed(self, part: float) -> float:
        """What lr_decay makes of a learning rate of 1 once this part of a training is done."""
        c = self.config
        t = max(0.0, (part - c.lr_decay_start) / (1 - c.lr_decay_start))
        return max(0.0, 1 - t) if c.lr_decay == "linear" else 1.0

    def rate(self) -> Tensor:
        """The factor on every learning rate in this step, 0-dim."""
        return self.now["lr"]

    def pictures(self, seed: int) -> Mapping[str, Tensor | tuple[Tensor, int]]:
        """Further images to show beside the sample grid, by name, float NCHW in [-1, 1]; a pair of
        such and how many stand in a row; or sequences of them, (N, T, C, H, W). In evaluation mode
        and without gradients, as scores() is.
        """
        return {}

    def scores(self, test: DataSet) -> dict[str, float]:
        """Further scores beside those of the samples, by name; test: images that were held out."""
        return {}

    # ---- what update_core() uses -------------------------------------------------------------

    @property
    def data(self) -> Loader:
        """The training batches: `x_real, y = next(self.data)`."""
        return self.streams.get()

    def stream(self, name: str, like: Loader | None = None) -> Loader:
        """A further loader with an order and a position of its own, over the same data or, made in
        start_from(), over that of `like`.
        """
        return self.streams.get(name, like)

    def adam(self, *networks: nn.Module, alpha: float | None = None) -> Adam:
        """Adam over the parameters of `networks`, with the settings' betas and rate, or `alpha`."""
        parameters = [p for network in networks for p in network.parameters()]
        c = self.config
        rate = c.adam_alpha if alpha is None else alpha
        return Adam(parameters, rate, (c.adam_beta1, c.adam_beta2), eps=1e-8, fused=True)

    def hidden(self, n: int) -> Tensor:
        """n latents, (n, n_hidden)."""
        return self.random.rows(n, self.gen.make_hidden)

    def labels(self, n: int) -> Tensor:
        """n labels for generated images, int64 (n,), each class as often as among the data."""
        return self.random.labels(n, self.spec.marginal)

    def uniform(self, n: int, *shape: int) -> Tensor:
        """U(0, 1), (n, *shape), in the networks' dtype; n counts samples."""
        return self.random.filled(Tensor.uniform_, n, *shape)

    def normal(self, n: int, *shape: int) -> Tensor:
        """N(0, 1), (n, *shape), in the networks' dtype; n counts samples."""
        return self.random.filled(Tensor.normal_, n, *shape)

    @torch.no_grad()
    def fake(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The generator's images for z, without a graph."""
        return self.generate(self.gen, self.gen.code(z, y), y)

    def mean(self, value: Tensor) -> Tensor:
        """The mean of `value` over all shares of the batch, without a graph: for state that follows
        a loss, as BEGAN's k_t, so that it is the same on every GPU.
        """
        return self.micro_batches.meet([value.detach().clone()], lambda means: means[0])

    def gather(self, x: Tensor) -> Tensor:
        """The rows of all shares of the batch in its order, on every share, without a graph."""
        return self.micro_batches.gather(x)

    def scatter(self, x: Tensor) -> Tensor:
        """Of the whole batch's rows those of this share, as gather() had them from it."""
        return x.chunk(self.micro_batches.shares)[
            self.micro_batches.share(self.micro_batches.current)
        ]

    def freeze(self, name: str, network: nn.Module) -> None:
        """In start_from(): have `network` as self.<name> to compute losses with. It does not train,
        is in no snapshot, which only knows its weights by their digest, and samples need it not.
        Scores record its name: call an extractor's network as the extractor is called, and
        `ganlib compare` says which of its scores that flatters.
        """
        self.__dict__[name] = self.frozen.add(name, network, next(self.parameters()))

    def reset(self, name: str) -> None:
        """Let the optimizer of this name forget what it has seen."""
        self.steps.reset(name)

    def saw_real(self, logits: Tensor) -> None:
        """Say what D gave a batch of real images in training mode, (N, ...), above 0 where it takes
        them for real: ada_target augments by it. Not in a loss_*, which is compiled.
        """
        self.heard_of_real = True
        if self.config.ada_target:
            self.adaptation.note(logits, self.micro_batches.shares)

    def step(self, **losses: Tensor) -> None:
        """Descend losses[name] by the optimizer of that name: all gradients first, then all steps.

        The only place where weights move. A loss fills the gradients of its own network alone, and
        gradients are means over the shares of the batch. Parameters that require no gradient stand
        still, and all do once a loss or a gradient was not finite.
        """
        self.steps.take(losses, self.rate(), self.guard)

    # ---- how an iteration runs --------------------------------------------------------------

    def __init__(
        self,
        config: AlgorithmConfig,
        data: Loader | None,
        spec: DataSpec,
        networks: Mapping[str, nn.Module],
    ) -> None:
        super().__init__(config, spec, networks)
        self.iteration, self.slowed = 0, 1.0
        """slowed: a factor on every learning rate, of a run that was rolled back."""
        self._now: dict[str, Tensor] = {}
        self.heard_of_real = False
        """Whether an update has called saw_real()."""
        self._runs = False  # an iteration does; else the one before self.iteration was the last
        self.register_buffer("clock", torch.tensor(0), persistent=False)
        self.register_buffer("bad", torch.tensor([-1, -1]), persistent=False)
        if config.ada_target:
            self.register_buffer("ada_seen", torch.zeros(4))
        self.lecam = LeCam(config.lecam)
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
        self.optimizer = {} if data is None else self.optimizers()  # the first one takes seconds
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
    def _latest(self) -> int:
        return self.iteration if self._runs else max(0, self.iteration - 1)

    @property
    def trained(self) -> dict[str, nn.Module]:
        """The networks that have weights to train, by name: no averages."""
        return {n: m for n, m in self.named_children() if n not in AVERAGES and [*m.parameters()]}

    @property
    def guard(self) -> Guard:
        """Against losses and gradients that are not finite."""
        return Guard(self.clock, self.bad)

    @property
    def adaptation(self) -> Adaptation:
        """Of D's augmentation, where the settings have a target."""
        ps, c = [b for name, b in self.named_buffers() if is_probability(name)], self.config
        return Adaptation(ps, self.ada_seen, c.ada_target, c.ada_images)

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
        seed_layers(mix(seed, self.iteration, "network", ranks.rank()), self.clock.device)
        self.random.place_bounds(self.spec.marginal)
        self.clock.fill_(self.iteration)
        self._set_now()

    def iterate(self) -> dict[str, Tensor]:
        """The work of one update, all of it on the device."""
        self.random.restart()
        buffers = self._shared() if self.micro_batches.shares > 1 else Shared([], [], [])
        values = self.micro_batches.run(self.update_core, buffers)
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
            **({} if self.slowed == 1 else {"slowed": self.slowed}),
            "revision": len(self.config.revisions()),
            "modules": self.state_dict(),
            "optimizers": self.steps.state(),
            "positions": self.streams.state(),
            "frozen": self.frozen.digests,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what state() gave; KeyError, ValueError or RuntimeError if it does not fit."""
        self.iteration, self._now = state["iteration"], {}
        self.slowed = state.get("slowed", 1.0)
        self.frozen.check(state.get("frozen"))
        self.load_state_dict(state["modules"])
        self.steps.load_state(state["optimizers"])
        self.streams.load_state(state["positions"])
        self.micro_batches.forget()
        self.perform = self.iterate

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Of nn.Module: how networks are moved, here the frozen ones too."""
        for network in self.frozen.networks.values():
            network._apply(fn)
        return super()._apply(fn, recurse)

    def _shared(self) -> Shared:
        """What a share of the batch changes on its own: running statistics, spectral-norm vectors,
        an algorithm's state. Not averages', which are copies, nor constants, in no snapshot.
        """
        kept = {name for name in self.state_dict() if name.partition(".")[0] not in AVERAGES}
        own = {name: buffer for name, buffer in self.named_buffers() if name in kept}
        return sort(own, self.shared)

    def _set_now(self) -> None:
        weight, numbers = next(self.parameters()), self.schedule(self._latest)
        decay = numbers.get("ema_decay")
        rate = ema_rate(self.config.ema_decay, self._latest + 1) if decay is None else 1 - decay
        numbers |= {"ema": rate, "lr": numbers["lr"] * self.slowed}
        for name, value in numbers.items():
            if name not in self._now or self._now[name].device != weight.device:
                self._now[name] = weight.new_empty(())
            self._now[name].fill_(value)
