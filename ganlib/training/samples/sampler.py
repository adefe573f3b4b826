"""Samples of an algorithm's generator. Nothing here needs training data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Loader
from ganlib.common.data.classes import class_names
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.common.layers import evaluating
from ganlib.config import AlgorithmConfig
from ganlib.training.samples.conditions import Asked
from ganlib.training.samples.sample_stream import BLOCK, Series

AVERAGES = ("average", "average_back")
"""Attributes, and before the names of tensors, that are moving averages."""


class Sampler(nn.Module):
    """An algorithm's networks, under their names, and what they show.

    average: the moving average of the network that is called `averaged`, or None; average_back: of
    the one called `backward`, if there is one. held_out: sources for samples, where the condition
    is an image; held_out_split: of which split of the data. turned: whether samples go the way
    back.
    """

    gen: Generator
    averaged: str
    backward: str | None
    generate: Callable[[Generator, Tensor, Tensor | None], Tensor]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """What an algorithm shows and scores leaves training as it was, whoever calls it."""
        super().__init_subclass__(**kwargs)
        for name in {"pictures", "scores"} & vars(cls).keys():
            setattr(cls, name, _evaluated(vars(cls)[name]))

    def __init__(
        self, config: AlgorithmConfig, spec: DataSpec, networks: Mapping[str, nn.Module]
    ) -> None:
        super().__init__()
        self.config, self.spec = config, spec
        for name, network in networks.items():
            setattr(self, name, network)
        self.average: nn.Module | None = None
        self.average_back: nn.Module | None = None
        self.turned = False
        self.held_out: Loader | None = None
        self.held_out_split = "train"

    @property
    def shown(self) -> Generator:
        """The network that samples: the moving average if there is one."""
        gen = self.average if self.average is not None else getattr(self, self.averaged)
        assert isinstance(gen, Generator)
        return gen

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that samples may be asked to be of: those that the generator is
        told, else the categories in its latents.
        """
        if self.config.condition == "labels":
            return class_names(self.spec)
        return self.shown.categories if self.config.condition is None else ()

    def turn(self) -> None:
        """From now on sample the way back, from images to sources: spec and held_out are turned,
        and the networks' parts exchanged. For what does not train any more. UserError for an
        algorithm that has no way back.
        """
        if self.backward is None:
            raise UserError("This generator has no way back: leave --back out.")
        self.spec = self.spec.turned()
        self.averaged, self.backward = self.backward, self.averaged
        self.average, self.average_back = self.average_back, self.average
        self.held_out = None if self.held_out is None else self.held_out.turned()
        self.turned = not self.turned

    def sample(
        self,
        n: int,
        seed: int,
        batch_size: int = BLOCK,
        truncation: float | None = None,
        y: Asked | None = None,
        statistics: str | None = None,
    ) -> Iterator[Tensor]:
        """n images in batches, float NCHW in [-1, 1] at the data's own size; image i depends on
        (seed, i), and on y[i].

        By the moving average if there is one, in evaluation mode; training is not disturbed.
        y: a class for all, or n of them; see asked.py. truncation, statistics: see Series.
        """
        if isinstance(y, Tensor | list | tuple) and len(y) != n:
            raise UserError(
                f"y is of {len(y)} samples, and {n} are asked for: give one for each, or one "
                "class for all."
            )
        series = self.series(seed, truncation, y, statistics)
        for start in range(0, n, batch_size):
            yield series.images(range(start, min(start + batch_size, n)))

    def series(
        self,
        seed: int,
        truncation: float | None = None,
        y: Asked | None = None,
        statistics: str | None = None,
    ) -> Series:
        """The samples of a seed by their numbers, and the steps from latents to images."""
        return Series(self, seed, truncation, y, statistics)

    def latents(
        self, numbers: Sequence[int], seed: int, y: Asked | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The latents and conditions of the samples with these numbers."""
        return self.series(seed, y=y).latents(numbers)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images for z by the network that samples, float NCHW in [-1, 1], at the data's size."""
        return self.series(0).decode(z, y)


def _evaluated(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of networks in evaluation mode, without gradients."""

    @wraps(method)
    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        with torch.no_grad(), evaluating(self):
            return method(self, *args, **kwargs)

    return call
