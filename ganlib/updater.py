"""The waist of the library: update() trains, sample() shows. An algorithm writes update_core()."""

from collections.abc import Hashable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from common.data import DataSet, DataSpec, Loader
from common.errors import UserError
from common.net import Generator
from common.seeds import generator, mix
from ganlib.config import AlgorithmConfig

# latents are drawn in blocks of this many, so that sample i does not depend on the batch size
BLOCK = 256


class NonFiniteError(RuntimeError):
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
        self._loaders = {} if data is None else {"": data}
        for name, network in networks.items():
            setattr(self, name, network)
        self.average = deepcopy(networks[self.averaged]) if config.ema_decay else None
        if self.average is not None:
            self.average.requires_grad_(False).eval()
        self.optimizer = self.optimizers()
        self._base_lr = {
            name: [g["lr"] for g in o.param_groups] for name, o in self.optimizer.items()
        }
        self.now: dict[str, Tensor] = {}  # what schedule() says for this iteration, on the device
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
        return self._loaders[""]

    def stream(self, name: str, like: Loader | None = None) -> Loader:
        """A further loader with an order and a position of its own, over the same data or, made in
        __init__, over that of `like`.
        """
        if name not in self._loaders:
            self._loaders[name] = (like or self.data).fork(name)
        return self._loaders[name]

    def adam(self, *networks: nn.Module) -> Adam:
        """Adam over the parameters of `networks`, with the settings' rate and betas."""
        parameters = [p for network in networks for p in network.parameters()]
        c = self.config
        return Adam(parameters, c.adam_alpha, (c.adam_beta1, c.adam_beta2), eps=1e-8, fused=True)

    def hidden(self, n: int) -> Tensor:
        """n latents, (n, n_hidden)."""
        return self.gen.make_hidden(n)

    def uniform(self, *shape: int) -> Tensor:
        """U(0, 1) on the device, in the networks' dtype; the first dimension counts samples."""
        return torch.rand(shape, device=self._weight.device, dtype=self._weight.dtype)

    def normal(self, *shape: int) -> Tensor:
        """N(0, 1) on the device, in the networks' dtype; the first dimension counts samples."""
        return torch.randn(shape, device=self._weight.device, dtype=self._weight.dtype)

    @torch.no_grad()
    def fake(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The generator's images for z, without a graph."""
        return self.generate(self.gen, z, y)

    def mean(self, value: Tensor) -> Tensor:
        """The mean of `value` over all GPUs, without a graph: for state that follows a loss, as
        BEGAN's k_t, so that it is the same everywhere.
        """
        return value.detach()

    def step(self, **losses: Tensor) -> None:
        """Descend losses[name] by the optimizer of that name: all gradients first, then all steps.

        The only place where weights move. A loss fills the gradients of its own network alone.
        Nothing moves once a loss or a gradient was not finite.
        """
        last = next(reversed(losses))
        gradients = {
            name: torch.autograd.grad(
                loss, self._parameters_of(name), retain_graph=name != last, allow_unused=True
            )
            for name, loss in losses.items()
        }
        for name, loss in losses.items():
            self._descend(name, loss.detach(), gradients[name])

    # ---- what the machine calls --------------------------------------------------------------

    def update(self) -> dict[str, Tensor]:
        """One iteration; a function of (weights, seed, iteration) alone. Returns detached 0-dim
        tensors.
        """
        torch.manual_seed(mix(self.data.seed, self.iteration, "update"))
        self.clock.fill_(self.iteration)
        self._set_now()
        observation = self.update_core()
        self.iteration += 1
        self._follow()
        return {name: value.detach() for name, value in observation.items()}

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
                f"loss_{name} or its gradient was NaN or infinite at iteration {iteration}."
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
        training = gen.training
        gen.eval()
        try:
            return self.spec.to_native(self.generate(gen, z, y).float()).clamp(-1, 1)
        finally:
            gen.train(training)

    def state(self) -> dict[str, Any]:
        """Everything that training goes on from, as tensors and plain types."""
        return {
            "iteration": self.iteration,
            "modules": self.state_dict(),
            "optimizers": {name: o.state_dict()["state"] for name, o in self.optimizer.items()},
            "positions": {name: loader.position for name, loader in self._loaders.items()},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what state() gave."""
        self.iteration = state["iteration"]
        self.load_state_dict(state["modules"])
        for name, optimizer in self.optimizer.items():
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state["optimizers"][name], "param_groups": groups})
        for name, position in state["positions"].items():
            (self.stream(name) if name else self.data).position = position

    # ---- the details -------------------------------------------------------------------------

    @property
    def _weight(self) -> Tensor:
        return next(self.parameters())

    def _parameters_of(self, name: str) -> list[Tensor]:
        return [p for group in self.optimizer[name].param_groups for p in group["params"]]

    def _descend(self, name: str, loss: Tensor, gradients: tuple[Tensor | None, ...]) -> None:
        given = [g for g in gradients if g is not None]
        finite = torch.isfinite(loss + nn.utils.get_total_norm(given))
        first = ~finite & (self.bad[0] < 0)
        self.bad[0] = torch.where(first, self.clock, self.bad[0])
        self.bad[1] = torch.where(first, list(self.optimizer).index(name), self.bad[1])
        ok = self.bad[0] < 0
        for parameter, gradient in zip(self._parameters_of(name), gradients, strict=True):
            parameter.grad = None if gradient is None else torch.where(ok, gradient, 0)
        optimizer = self.optimizer[name]
        for group, lr in zip(optimizer.param_groups, self._base_lr[name], strict=True):
            group["lr"] = torch.where(ok, lr * self.now.get("lr", 1.0), 0.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def _set_now(self) -> None:
        for name, value in self.schedule(self.iteration).items():
            if name not in self.now:
                self.now[name] = torch.zeros((), device=self.clock.device)
            self.now[name].fill_(value)

    @torch.no_grad()
    def _follow(self) -> None:
        if self.average is None:
            return
        decay = min(self.config.ema_decay, (1 + self.iteration) / (10 + self.iteration))
        source = getattr(self, self.averaged)
        torch._foreach_lerp_(list(self.average.parameters()), list(source.parameters()), 1 - decay)
        for old, new in zip(self.average.buffers(), source.buffers(), strict=True):
            old.copy_(new)

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
