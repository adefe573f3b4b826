"""The waist of the library: update() trains, sample() shows. An algorithm writes update_core()."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ganlib.common.data import DataSet, DataSpec, Loader
from ganlib.common.errors import StoppedError, UserError
from ganlib.common.layers import evaluating
from ganlib.common.net import Generator
from ganlib.common.seeds import generator, mix
from ganlib.config import AlgorithmConfig
from ganlib.training import ranks
from ganlib.training.average import average_of, follow, left_behind
from ganlib.training.descent import check_state, descend, parameters_of
from ganlib.training.passes import Passes

# latents are drawn in blocks of this many, so that sample i does not depend on the batch size
BLOCK = 256


class NonFiniteError(StoppedError):
    """A loss or a gradient became NaN or infinite; the message names the iteration and the loss."""


class Updater(nn.Module):
    """Networks, their optimizers and one training iteration.

    An nn.Module: what a subclass registers (networks, buffers) is moved, saved and resumed. `data`
    may be None for an updater that only samples.
    """

    config: AlgorithmConfig
    gen: Generator
    averaged = "gen"
    """Name of the network that the moving average follows and that sample() uses."""

    def __init__(
        self,
        config: AlgorithmConfig,
        data: Loader | None,
        spec: DataSpec,
        networks: Mapping[str, nn.Module],
    ) -> None:
        super().__init__()
        self.config, self.spec = config, spec
        self.iteration = 0
        self.passes = Passes(1)
        self._loaders = {} if data is None else {("", 0): data}  # by stream and pass
        self._random: torch.Generator | None = None
        self._draws: list[Tensor] = []  # of the whole batch, where this pass has a share of it
        self._drawn: list[int] = []
        self.perform: Callable[[], dict[str, Tensor]] = self.iterate
        """How an update does its work: iterate(), or a captured graph of it."""
        for name, network in networks.items():
            setattr(self, name, network)
        self.average = average_of(networks[self.averaged]) if config.ema_decay else None
        self.optimizer = self.optimizers()
        self._base_lr = {
            name: [g["lr"] for g in o.param_groups] for name, o in self.optimizer.items()
        }
        self.now: dict[str, Tensor] = {}
        """What schedule() says for this iteration, as 0-dim tensors on the device."""
        self.held_out: Loader | None = None  # sources for samples, where the condition is an image
        # on the device, so that no update waits for the host: the iteration, and the iteration and
        # the number of the first loss that was not finite (-1 for none)
        self.register_buffer("clock", torch.tensor(0), persistent=False)
        self.register_buffer("bad", torch.tensor([-1, -1]), persistent=False)

    clock: Tensor
    bad: Tensor

    # ---- what an algorithm writes ------------------------------------------------------------

    def update_core(self) -> dict[str, Tensor]:
        """One iteration of the paper's algorithm box; returns 0-dim tensors to log, without
        .item().
        """
        raise TypeError(f"{type(self).__name__} has no update_core()")

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam per network, under its name."""
        return {
            name: self.adam(network) for name, network in self.named_children() if name != "average"
        }

    def generate(self, gen: nn.Module, z: Tensor, y: Tensor | None) -> Tensor:
        """Images from latents, float NCHW in [-1, 1]."""
        images: Tensor = gen(z, y)
        return images

    def phase(self, iteration: int) -> Hashable:
        """What the shape of an iteration depends on: equal phases do the same work."""
        return ()

    def schedule(self, iteration: int) -> dict[str, float]:
        """Numbers that follow from the iteration alone; update_core() finds them as 0-dim tensors
        in self.now. "lr" is the factor on every learning rate.
        """
        linear = self.config.lr_decay == "linear"
        return {"lr": max(0.0, 1 - iteration / self.config.max_iter) if linear else 1.0}

    def rate(self) -> Tensor:
        """The factor on every learning rate in this step, 0-dim."""
        if not self.now:
            self._set_now()
        return self.now["lr"]

    def pictures(self, seed: int) -> dict[str, Tensor]:
        """Further images to show beside the sample grid, by name, float NCHW in [-1, 1]."""
        return {}

    def scores(self, test: DataSet) -> dict[str, float]:
        """Further scores beside those of the samples, by name."""
        return {}

    # ---- what update_core() uses -------------------------------------------------------------

    @property
    def data(self) -> Loader:
        """The training batches: `x_real, y = next(self.data)`."""
        if not self._loaders:
            raise UserError("This updater was loaded to sample; it has no data to train on.")
        return self._loaders["", self.passes.current]

    def stream(self, name: str, like: Loader | None = None) -> Loader:
        """A further loader with an order and a position of its own, over the same data or, made in
        __init__, over that of `like`.
        """
        key = name, self.passes.current
        if key not in self._loaders:
            self._loaders[key] = (like or self.data).fork(name)
        return self._loaders[key]

    def adam(self, *networks: nn.Module) -> Adam:
        """Adam over the parameters of `networks`, with the settings' rate and betas."""
        parameters = [p for network in networks for p in network.parameters()]
        c = self.config
        return Adam(parameters, c.adam_alpha, (c.adam_beta1, c.adam_beta2), eps=1e-8, fused=True)

    def hidden(self, n: int) -> Tensor:
        """n latents, (n, n_hidden)."""
        return self._rows(n, lambda whole: self.gen.make_hidden(whole, self.random))

    def uniform(self, n: int, *shape: int) -> Tensor:
        """U(0, 1), (n, *shape), in the networks' dtype; n counts samples."""
        return self._rows(
            n, lambda whole: self._empty(whole, *shape).uniform_(generator=self.random)
        )

    def normal(self, n: int, *shape: int) -> Tensor:
        """N(0, 1), (n, *shape), in the networks' dtype; n counts samples."""
        return self._rows(
            n, lambda whole: self._empty(whole, *shape).normal_(generator=self.random)
        )

    @torch.no_grad()
    def fake(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The generator's images for z, without a graph."""
        return self.generate(self.gen, z, y)

    def mean(self, value: Tensor) -> Tensor:
        """The mean of `value` over all shares of the batch, without a graph: for state that follows
        a loss, as BEGAN's k_t, so that it is the same on every GPU.
        """

        def over_ranks(values: list[Tensor]) -> Tensor:
            ranks.mean_(values)
            return values[0]

        return self.passes.meet([value.detach().clone()], over_ranks)

    def step(self, **losses: Tensor) -> None:
        """Descend losses[name] by the optimizer of that name: all gradients first, then all steps.

        The only place where weights move. A loss fills the gradients of its own network alone, and
        gradients are means over the shares of the batch. Nothing moves once a loss or a gradient
        was not finite.
        """
        last = next(reversed(losses))
        gradients = {
            name: torch.autograd.grad(
                loss, self._parameters_of(name), retain_graph=name != last, allow_unused=True
            )
            for name, loss in losses.items()
        }
        values = [loss.detach().clone() for loss in losses.values()]
        given = [g for of_one in gradients.values() for g in of_one if g is not None]

        def descend(means: list[Tensor]) -> None:
            ranks.mean_(means)
            rest = iter(means[len(losses) :])
            for loss, (name, of_one) in zip(means, gradients.items(), strict=False):
                self._descend(name, loss, [None if g is None else next(rest) for g in of_one])

        self.passes.meet([*values, *given], descend)

    # ---- what the machine calls --------------------------------------------------------------

    def update(self) -> dict[str, Tensor]:
        """One iteration; a function of (weights, seed, iteration) alone. Returns detached 0-dim
        tensors, which hold until the next update.
        """
        self.prepare()
        observation = self.perform()
        self.iteration += 1
        return observation

    def prepare(self) -> None:
        """Write down what the next iteration is a function of: seeds, clock, scheduled numbers."""
        self.random.manual_seed(mix(self.data.seed, self.iteration, "update"))
        torch.manual_seed(mix(self.data.seed, self.iteration, "network", ranks.rank()))
        self.clock.fill_(self.iteration)
        self._set_now()

    def iterate(self) -> dict[str, Tensor]:
        """The work of one update, all of it on the device."""
        self._draws, self._drawn = [], [0] * self.passes.count
        own = self._own_buffers() if self.shares > 1 else []
        observations = self.passes.run(self.update_core, own)
        mean = {name: _mean([o[name] for o in observations]) for name in observations[0]}
        ranks.mean_([*(b for b in own if b.is_floating_point()), *mean.values()])
        self._follow()
        return mean

    def close(self) -> None:
        """End what the loaders run beside this process."""
        for loader in self._loaders.values():
            loader.close()

    def wrap_loaders(self, wrapper: Callable[[Loader], Any]) -> dict[tuple[str, int], Any]:
        """All loaders by stream and pass, each in a `wrapper` that stands for it from now on."""
        for key, loader in self._loaders.items():
            if isinstance(loader, Loader):
                self._loaders[key] = wrapper(loader)
        return dict(self._loaders)

    def split(self, passes: int) -> None:
        """Take each batch in so many passes, whose gradients are averaged; and only this rank's
        share of it, where there are several.

        Raises UserError if the batch cannot be shared so.
        """
        of = ranks.count() * passes
        first = ranks.rank() * passes
        self.passes = Passes(passes)
        streams = {name: loader for (name, k), loader in self._loaders.items() if k == 0}
        self._loaders = {
            (name, k): loader.share(first + k, of)
            for name, loader in streams.items()
            for k in range(passes)
        }

    @property
    def images(self) -> int:
        """How many real images training has seen."""
        return self.data.position

    def check_finite(self) -> None:
        """Raise NonFiniteError if an earlier loss or gradient was NaN or infinite."""
        iteration, loss = self.bad.tolist()
        if iteration >= 0:
            name = list(self.optimizer)[loss]
            raise NonFiniteError(
                f"loss_{name} or its gradient was NaN or infinite at iteration {iteration}. The "
                "last good snapshot is kept."
            )

    @torch.no_grad()
    def sample(
        self, n: int, seed: int, batch_size: int = BLOCK, truncation: float | None = None
    ) -> Iterator[Tensor]:
        """n images in batches, float NCHW in [-1, 1] at the data's own size; image i depends on
        (seed, i).

        By the moving average if there is one, in evaluation mode; training is not disturbed.
        """
        for start in range(0, n, batch_size):
            z, y = self.latents(range(start, min(start + batch_size, n)), seed)
            yield self.decode(z if truncation is None else self.gen.truncate(z, truncation), y)

    def latents(self, numbers: range | list[int], seed: int) -> tuple[Tensor, Tensor | None]:
        """The latents and conditions of the samples with these numbers."""
        blocks = {k: self._block(k, seed) for k in {i // BLOCK for i in numbers}}
        z = torch.stack([blocks[i // BLOCK][0][i % BLOCK] for i in numbers])
        y = [
            condition[i % BLOCK]
            for i in numbers
            if (condition := blocks[i // BLOCK][1]) is not None
        ]
        return z, torch.stack(y) if y else None

    @torch.no_grad()
    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images for z by the network that samples, float NCHW in [-1, 1], at the data's size."""
        gen = self.average if self.average is not None else getattr(self, self.averaged)
        with evaluating(gen):
            return self.spec.to_native(self.generate(gen, z, y).float()).clamp(-1, 1)

    def state(self) -> dict[str, Any]:
        """Everything that training goes on from, as tensors and plain types."""
        return {
            "iteration": self.iteration,
            "modules": self.state_dict(),
            "optimizers": {name: o.state_dict()["state"] for name, o in self.optimizer.items()},
            "positions": {name: o.position for (name, k), o in self._loaders.items() if k == 0},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what state() gave; KeyError, ValueError or RuntimeError if it does not fit."""
        self.iteration = state["iteration"]
        self.load_state_dict(state["modules"])
        for name, optimizer in self.optimizer.items():
            check_state(optimizer, state["optimizers"][name])
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state["optimizers"][name], "param_groups": groups})
        for k in reversed(range(self.passes.count)):
            self.passes.current = k
            for name, position in state["positions"].items():
                (self.stream(name) if name else self.data).position = position
        self.perform = self.iterate

    # ---- the details -------------------------------------------------------------------------

    @property
    def random(self) -> torch.Generator:
        """The generator of all draws for a batch, on the device; the same on every rank."""
        if self._random is None or self._random.device != self.clock.device:
            self._random = torch.Generator(self.clock.device)
        return self._random

    @property
    def shares(self) -> int:
        """In how many parts a batch is taken, over all ranks and passes."""
        return ranks.count() * self.passes.count

    def _rows(self, n: int, draw: Callable[[int], Tensor]) -> Tensor:
        """The n rows of this share from a draw for all of them."""
        of = self.shares
        if of == 1:
            return draw(n)
        k = self._drawn[self.passes.current]
        self._drawn[self.passes.current] += 1
        if k == len(self._draws):
            self._draws.append(draw(n * of))
        first = n * (ranks.rank() * self.passes.count + self.passes.current)
        return self._draws[k][first : first + n]

    @property
    def _weight(self) -> Tensor:
        return next(self.parameters())

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(shape, device=self.clock.device, dtype=self._weight.dtype)

    def _own_buffers(self) -> list[Tensor]:
        """What a share of the batch changes on its own: running statistics, spectral-norm vectors,
        an algorithm's state. Not the moving average's, which follow.
        """
        machine = {id(self.clock), id(self.bad)}
        if self.average is not None:
            machine |= {id(b) for b in self.average.buffers()}
        return [b for b in self.buffers() if id(b) not in machine]

    def _parameters_of(self, name: str) -> list[Tensor]:
        return parameters_of(self.optimizer[name])

    def _descend(self, name: str, loss: Tensor, gradients: list[Tensor | None]) -> None:
        """Note a loss or gradient that is not finite; step, unless there was one."""
        given = [g for g in gradients if g is not None]
        finite = torch.isfinite(loss + nn.utils.get_total_norm(given))
        first = ~finite & (self.bad[0] < 0)
        self.bad[0] = torch.where(first, self.clock, self.bad[0])
        self.bad[1].masked_fill_(first, list(self.optimizer).index(name))
        rates = [lr * self.rate() for lr in self._base_lr[name]]
        descend(self.optimizer[name], gradients, rates, self.bad[0] < 0)

    def _set_now(self) -> None:
        numbers = self.schedule(self.iteration)
        numbers["ema"] = left_behind(self.config.ema_decay, self.iteration + 1)
        for name, value in numbers.items():
            if name not in self.now or self.now[name].device != self.clock.device:
                self.now[name] = self._empty()
            self.now[name].fill_(value)

    def _follow(self) -> None:
        if self.average is not None:
            # nothing follows once a loss was not finite, as nothing moves
            part = self.now["ema"].masked_fill(self.bad[0] >= 0, 0)
            follow(self.average, getattr(self, self.averaged), part)

    def _block(self, k: int, seed: int) -> tuple[Tensor, Tensor | None]:
        # drawn on the CPU, so that a seed shows the same pictures on every device
        random = generator(seed, "sample", k)
        z, y = self.gen.make_hidden(BLOCK, random), self._condition(BLOCK, random)
        return z, None if y is None else y.to(z.device)

    def _condition(self, n: int, random: torch.Generator) -> Tensor | None:
        if self.config.condition == "labels":
            return torch.randint(self.spec.n_classes, (n,), generator=random)
        if self.config.condition == "images":
            if self.held_out is None:
                raise UserError(
                    "This generator translates images: give the data set that holds them."
                )
            index = torch.randint(len(self.held_out.data), (n,), generator=random)
            return self.held_out.condition_at(index)
        return None


def _mean(values: list[Tensor]) -> Tensor:
    if len(values) == 1:
        return values[0].detach()
    return torch.stack([value.detach() for value in values]).mean(0)
