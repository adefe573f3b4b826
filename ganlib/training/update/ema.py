"""The moving average of a network's weights."""

from copy import deepcopy

import torch
from torch import Tensor, nn


def average_of(network: nn.Module) -> nn.Module:
    """A copy of the network to average in, in evaluation mode."""
    return deepcopy(network).requires_grad_(False).eval()


def left_behind(decay: float, k: int) -> float:
    """How far the average goes towards the weights in update k, counted from 1: 1 - decay, with a
    decay of min(decay, (1 + k) / (10 + k)), because one of 0.999 would lag for thousands. That is
    2 / 11, 0.18, in the first.
    """
    return 1 - min(decay, (1 + k) / (10 + k))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, part: Tensor) -> None:
    """Move the average's parameters by `part`, 0-dim, of the way to the network's; copy buffers."""
    old: list[Tensor] = list(average.parameters())
    way = list(torch._foreach_sub(list(network.parameters()), old))
    torch._foreach_mul_(way, part)
    torch._foreach_add_(old, way)
    for averaged, buffer in zip(average.buffers(), network.buffers(), strict=True):
        averaged.copy_(buffer)
