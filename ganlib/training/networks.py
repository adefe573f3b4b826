"""An algorithm's networks: which of them samples, moving averages of weights, and frozen ones."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from hashlib import sha256

import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Loader
from ganlib.common.errors import UserError
from ganlib.common.generator import Generator
from ganlib.config import AlgorithmConfig
from ganlib.moved import Renamed
from ganlib.training.device.devices import place

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
            return self.spec.class_names
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


def ema_of(network: nn.Module) -> nn.Module:
    """A copy of the network to average in, in evaluation mode."""
    return deepcopy(network).requires_grad_(False).eval()


def ema_rate(decay: float, k: int) -> float:
    """How far the average goes towards the weights in update k, counted from 1: 1 - decay, with a
    decay of min(decay, (1 + k) / (10 + k)), because one of 0.999 would lag for thousands. That is
    2 / 11, 0.18, in the first.
    """
    return 1 - min(decay, (1 + k) / (10 + k))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, rate: Tensor) -> None:
    """Move the average's parameters by `rate`, 0-dim, of the way to the network's; copy buffers."""
    old: list[Tensor] = list(average.parameters())
    way = list(torch._foreach_sub(list(network.parameters()), old))
    torch._foreach_mul_(way, rate)
    torch._foreach_add_(old, way)
    for averaged, buffer in zip(average.buffers(), network.buffers(), strict=True):
        averaged.copy_(buffer)


class Frozen:
    """Networks that do not train, which losses are computed with. They are no children of the
    updater, whose weights are those that train.

    digests: the SHA-256 of the weights of each, by name.
    """

    def __init__(self) -> None:
        self.networks: dict[str, nn.Module] = {}
        self.digests: dict[str, str] = {}

    def add(self, name: str, network: nn.Module, like: Tensor) -> nn.Module:
        """The network as it is to be used: without gradients of its own, in evaluation mode, on the
        device and in the dtype of `like`.
        """
        self.digests[name] = digest(network)
        network = place(network.requires_grad_(False).eval().to(like.dtype), like.device)
        self.networks[name] = network
        return network

    def check(self, digests: Mapping[str, str] | None) -> None:
        """ValueError if a snapshot's are others; those of before there were any have none."""
        for name, then in (digests or {}).items():
            now = self.digests.get(name)
            if now != then:
                raise ValueError(
                    f"the weights of the frozen network '{name}' had the SHA-256 {then[:12]} and "
                    f"have {now[:12]} now"
                    if now
                    else f"there is no frozen network '{name}' any more"
                )


def digest(network: nn.Module) -> str:
    """The SHA-256 of all weights and saved buffers with their names."""
    found = sha256()
    for name, tensor in network.state_dict().items():
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
