"""What tests ask of a network's parameters."""

from torch import nn


def count(net: nn.Module) -> int:
    """How many numbers are trained: all that the network has."""
    assert all(p.requires_grad for p in net.parameters())
    return sum(p.numel() for p in net.parameters())
