"""What an algorithm's networks have beside them: moving averages of weights, and frozen ones."""

from collections.abc import Mapping
from copy import deepcopy
from hashlib import sha256

import torch
from torch import Tensor, nn

from ganlib.training.device.devices import place

AVERAGES = ("average", "average_back")
"""Attributes, and before the names of tensors, that are moving averages."""


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
