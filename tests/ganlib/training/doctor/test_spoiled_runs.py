"""Runs that are spoiled on purpose, each of which the doctor names within 500 iterations."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

import ganlib
from ganlib.common.data import DataSet
from ganlib.common.data import loader as loaders
from ganlib.common.io.jsonl import read_lines
from ganlib.common.query import DataQuery
from ganlib.registry import algorithms

Spoil = Callable[[], AbstractContextManager[Any]]


def fashion(change: Callable[[DataSet], DataSet]) -> Spoil:
    """Training on Fashion-MNIST as it is after a change."""
    load = DataQuery.open

    def opened(query: DataQuery) -> DataSet:
        return change(load(query)) if query.split == "train" else load(query)

    return lambda: mock.patch.object(DataQuery, "open", opened)


def first(n: int, times: int = 1) -> Callable[[DataSet], DataSet]:
    """The first n images, so many times each."""
    index = torch.arange(n * times) % n

    def change(data: DataSet) -> DataSet:
        assert data.y is not None
        return replace(data, x=data.x[index], y=data.y[index])

    return change


def constant(data: DataSet) -> DataSet:
    return replace(data, x=torch.full((2000, 1, 28, 28), 128, dtype=torch.uint8), y=None)


def shuffled(data: DataSet) -> DataSet:
    assert data.y is not None
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(1))
    return replace(data, y=data.y[order])


def still() -> AbstractContextManager[Any]:
    """A generator whose learning rate is 0."""

    def optimizers(self: Any) -> dict[str, Any]:
        return {"gen": self.adam(self.gen, alpha=0.0), "dis": self.adam(self.dis)}

    return mock.patch.object(algorithms["dcgan"].updater, "optimizers", optimizers)


@contextmanager
def of_one_class() -> Iterator[None]:
    """Batches of one class each, as of a file that is sorted and not shuffled."""
    y = DataQuery("fashion_mnist").open().y
    assert y is not None
    order = torch.argsort(y, stable=True)

    def rows(self: Any, start: int, n: int, device: torch.device) -> loaders.Rows:
        index: Tensor = order[torch.arange(start, start + n) % len(order)]
        flips = torch.zeros(n, dtype=torch.bool)
        return loaders.Rows(index, index, flips, *2 * [torch.full((n, 2), 0.5)])

    with mock.patch.object(loaders.Order, "rows", rows):
        yield


SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 0.125, "adam_alpha": 5e-4, "adam_beta1": 0.5, "adam_beta2": 0.999},
    "gan": {"width": 0.5},
    "wgan": {"width": 0.125, "adam_alpha": 2e-4, "long_first": 0, "long_interval": 0},
    "wgan_gp": {"width": 0.125, "adam_alpha": 5e-4, "n_dis": 2, "adam_beta1": 0.5},
    "cgan": {"preset": "quick"},
}
SPOILED: dict[str, tuple[str, dict[str, Any], Spoil, str]] = {
    "one colour": ("dcgan", {}, fashion(constant), "constant-data"),
    "8 images": ("dcgan", {}, fashion(first(8, 250)), "duplicated-data"),
    "64 images": ("dcgan", {}, fashion(first(64)), "memorising"),
    "shuffled labels": ("cgan", {}, fashion(shuffled), "meaningless-labels"),
    "sorted": ("dcgan", {}, of_one_class, "partial-collapse"),
    "still": ("dcgan", {}, still, "discriminator-won"),
    "minimax": ("gan", {"loss": "minimax", "n_dis": 10}, nullcontext, "discriminator-won"),
    "unclipped": ("wgan", {"clip": 1e6}, nullcontext, "discriminator-won"),
    "small penalty": ("wgan_gp", {"lam": 1e-5}, nullcontext, "penalty"),
    "large penalty": ("wgan_gp", {"lam": 1e6}, nullcontext, "discriminator-stopped"),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* images are too few")  # of a run that comes to its end
@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_run_is_named(name: str, tmp_path: Path) -> None:
    algorithm, settings, spoil, finding = SPOILED[name]
    with spoil():
        ganlib.train(
            algorithm,
            **{"dataset": "fashion_mnist", "gpu": -1, "tensorboard": False, **SMALL[algorithm]},
            **{"batch_size": 32, "ema_decay": 0.99},
            **{"max_iter": 500, "sample_interval": 0, "evaluation_images": 50},
            **{"evaluation_interval": 1000, "stop_on": finding, "out": tmp_path / "run"},
            **settings,
        )
    lines = read_lines(tmp_path / "run" / "log.jsonl")
    said = "\n".join(line.get("doctor", "") for line in lines)
    assert any(text.startswith(f"{finding}: ") for text in said.splitlines())
