"""The waist of the library: update() trains, sample() shows. An algorithm writes update_core().

This page is what an algorithm writes and uses. How an iteration runs is in update/iteration.py, and
what samples are in samples/sample_stream.py.
"""

from collections.abc import Collection, Hashable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ganlib.common.data import DataSet, Loader
from ganlib.common.generator import Generator
from ganlib.training.update.accumulation import Sharing
from ganlib.training.update.iteration import Iterating
from ganlib.training.update.streams import Stage


class Updater(Iterating):
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
