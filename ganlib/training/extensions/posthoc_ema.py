"""Moving averages of any length, after training: Karras et al. 2024 (EDM2), section 3.

https://arxiv.org/abs/2312.02696. An average by a power function gives the weights of iteration
tau a share that grows as tau^gamma. Its length is the standard deviation of that share, in parts
of the training. Two of them are followed and stored every so often; an average of another length
is the sum of all stored ones whose share comes nearest to its own, by least squares.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganlib.common.errors import UserError
from ganlib.common.io.files import as_user_error, atomic
from ganlib.training.networks import ema_of
from ganlib.training.snapshot import drop_later, iteration_of, list_snapshots
from ganlib.training.trainer import Extension, Trainer, every
from ganlib.training.updater import Updater

FOLDER = Path("snapshots", "ema")
LENGTHS = (0.05, 0.10)
SHORTEST, LONGEST = 0.01, 0.25
"""Lengths that can be asked for; that of the mean of all iterations is 0.289."""


class PostHocEma(Extension):
    """Follow averages of LENGTHS of the network that samples, and store them in the run's FOLDER
    every so many iterations.
    """

    name = "posthoc_ema"

    def __init__(self, interval: int) -> None:
        self.due = every(interval)
        self.averages: dict[str, dict[str, Tensor]] = {}

    def initialize(self, trainer: Trainer) -> None:
        if trainer.iteration and not self.averages:
            raise UserError(
                f"ema_every: the first {trainer.iteration} iterations of this run are in no "
                "average. Leave it out, or begin anew."
            )
        drop_later(trainer.out / FOLDER, trainer.iteration)

    def __call__(self, trainer: Trainer) -> None:
        network = trainer.updater.get_submodule(trainer.updater.averaged)
        follow(self.averages, network, trainer.iteration)
        if self.due(trainer):
            path = trainer.out / FOLDER / f"iter_{trainer.iteration:07d}.pt"
            path.parent.mkdir(exist_ok=True)
            with atomic(path) as temporary:
                kept = network.state_dict(keep_vars=True).items()
                buffers = {name: t for name, t in kept if not isinstance(t, nn.Parameter)}
                torch.save({**self.averages, "buffers": buffers}, temporary)

    def state(self) -> dict[str, Any]:
        return dict(self.averages)

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.averages = {length: dict(weights) for length, weights in state.items()}


@torch.no_grad()
def follow(averages: dict[str, dict[str, Tensor]], network: nn.Module, iteration: int) -> None:
    """Bring averages of LENGTHS, by their lengths and the names of weights, one iteration on, to
    this one, counted from 1; {} before the first.
    """
    named = dict(network.named_parameters())
    for length in LENGTHS:
        kept = averages.setdefault(f"{length:g}", {})
        for name, weight in named.items():
            if name not in kept or kept[name].device != weight.device:
                kept[name] = kept.get(name, weight).detach().to(weight.device, copy=True)
        share = 1 - (1 - 1 / iteration) ** (exponent(length) + 1)
        torch._foreach_lerp_([kept[name] for name in named], list(named.values()), share)


def exponent(length: float) -> float:
    """gamma of an average whose length is so long: (gamma + 1)^(1/2) / (gamma + 2) / (gamma +
    3)^(1/2).
    """
    t = length**-2
    return float(np.roots([1, 7, 16 - t, 12 - t]).real.max())


def combination(iterations: Sequence[int], length: float, end: int) -> NDArray[np.float64]:
    """How much of each stored average, (iterations, LENGTHS), makes the one of this length at the
    iteration `end`.
    """
    t = np.repeat(np.array(iterations, dtype=np.float64), len(LENGTHS))
    gamma = np.tile([exponent(one) for one in LENGTHS], len(iterations))
    products = _product(t[:, None], gamma[:, None], t, gamma)
    aimed = _product(t, gamma, np.float64(end), np.float64(exponent(length)))
    found: NDArray[np.float64] = np.linalg.lstsq(products, aimed, rcond=None)[0]
    return found.reshape(len(iterations), len(LENGTHS))


def _product(a: Any, of_a: Any, b: Any, of_b: Any) -> Any:
    """The inner products of the shares of averages that end at a and at b, of gammas of_a, of_b."""
    ratio = np.minimum(a, b) / np.maximum(a, b)
    power = ratio ** np.where(a < b, of_b, of_a) / np.maximum(a, b)
    return (of_a + 1) * (of_b + 1) / (of_a + of_b + 1) * power


def take_average(updater: Updater, run: Path, length: float) -> None:
    """Have `updater` sample by an average of this length, of the newest stored up to its iteration;
    UserError if there is none.
    """
    found = average_of(run, length, updater.iteration)
    if updater.average is None:
        updater.average = ema_of(updater.get_submodule(updater.averaged))
    updater.average.load_state_dict(found, strict=False)
    updater.ema_length = length


def average_of(run: Path, length: float, iteration: int) -> dict[str, Tensor]:
    """The weights and buffers of the average of this length at the newest iteration up to this one
    at which the run stored some. UserError for a length that is out of reach, or nothing stored.
    """
    if not SHORTEST <= length <= LONGEST:
        raise UserError(f"ema_length is {length:g}; give {SHORTEST} to {LONGEST} of the training.")
    paths = [p for p in list_snapshots(run / FOLDER) if iteration_of(p) <= iteration]
    if not paths:
        raise UserError(
            f"{run} stored no averages by iteration {iteration}: train with --ema-every."
        )
    stored = [iteration_of(path) for path in paths]
    total: dict[str, Tensor] = {}
    for path, row in zip(paths, combination(stored, length, stored[-1]), strict=True):
        averages, buffers = _stored(path)
        for average, weight in zip(averages, row, strict=True):
            for name, tensor in average.items():
                before = total.get(name, torch.zeros((), dtype=torch.float64))
                total[name] = before + float(weight) * tensor.double()
    return {**total, **buffers}


def _stored(path: Path) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
    """The averages of LENGTHS in a file, and the network's buffers."""
    with as_user_error(lambda _: f"{path} is damaged: move it elsewhere."):
        content = torch.load(path, map_location="cpu", weights_only=True)
        return [content[f"{one:g}"] for one in LENGTHS], content["buffers"]
