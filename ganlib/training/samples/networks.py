"""An algorithm's networks, and which of them samples."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from ganlib.common.data import DataSpec, Loader
from ganlib.common.data.classes import class_names
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.config import AlgorithmConfig
from ganlib.moved import Renamed

AVERAGES = ("average", "average_back")
"""Attributes, and before the names of tensors, that are moving averages."""


class Networks(nn.Module):
    """An algorithm's networks, under their names.

    average: the EMA of the network that is called `averaged`, or None; average_back: of the one
    called `backward`, if there is one. held_out: sources for samples, where the condition is an
    image; held_out_split: of which split of the data. turned: whether samples go the way back.
    """

    gen: Generator
    averaged: str
    backward: str | None
    generate: Callable[[Generator, Tensor, Tensor | None], Tensor]
    shown, series = Renamed("sampling_gen"), Renamed("sample_stream")

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
    def sampling_gen(self) -> Generator:
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
        return self.sampling_gen.categories if self.config.condition is None else ()

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
