"""Modules that are computed twice: the same numbers to the last bit, and less that is kept."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganlib.common.layers.checkpoint import (
    blocks,
    checkpoint_blocks,
    for_second_derivatives,
    recomputing,
)
from ganlib.common.losses import slope_penalty
from ganlib.speed.costs import Peak
from ganlib.srgan.net import ResidualBlock


class Noisy(nn.Module):
    """A block of all that is delicate: batch statistics, dropout, noise, a conditioning input."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(n_out)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        h = self.drop(torch.tanh(self.norm(self.conv(x)) + shift))
        return torch.tanh(h + torch.randn_like(h) + torch.empty_like(h).uniform_())


class Twice(Noisy):
    """The same, computed twice."""

    forward = recomputing(Noisy.forward)


class Deep(nn.Module):
    """Five blocks of a kind."""

    def __init__(self, kind: type[Noisy]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList([kind(4 if k else 1, 4) for k in range(5)])
        self.double()

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, shift)
        return x


@pytest.mark.parametrize("context", [nullcontext, for_second_derivatives])
def test_first_and_second_derivatives(
    context: Callable[[], AbstractContextManager[Any]],
) -> None:
    """With the same graph used twice, and other numbers drawn and other batches seen meanwhile."""
    found = []
    for kind in (Noisy, Twice):
        network = Deep(kind)
        x = torch.randn(3, 1, 5, 5, dtype=torch.float64, requires_grad=True)
        shift = torch.randn(3, 4, 1, 1, dtype=torch.float64, requires_grad=True)
        wanted = [x, shift, *network.parameters()]
        y = network(x, shift)
        network(torch.rand_like(x), shift)
        with context():
            first = torch.autograd.grad(y.square().sum(), wanted, create_graph=True)
        again = torch.autograd.grad(y.sum(), wanted, retain_graph=True)
        slopes = torch.stack([slope.square().sum() for slope in first]).sum()
        second = torch.autograd.grad(slopes, wanted)
        found.append([*first, *again, *second, torch.rand(2), *network.buffers()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_weights_that_moved_are_found_out() -> None:
    """As autograd itself finds them out in a plain module."""
    module = Twice(1, 1)
    y = module(torch.randn(2, 1, 3, 3), torch.zeros(1))
    with torch.no_grad():
        module.conv.weight.mul_(2)
    with pytest.raises(RuntimeError, match="changed before its gradients"):
        y.sum().backward()


def test_another_computation_is_found_out() -> None:
    """One that depends on more than arguments, weights and buffers."""
    calls = []

    def forward(module: nn.Module, x: Tensor) -> Tensor:
        calls.append(x)
        return x.sin().cos() if len(calls) == 1 else x.sin()

    y = recomputing(forward)(nn.Linear(1, 1), torch.ones(1, requires_grad=True))
    with pytest.raises(RuntimeError, match="something else the second time"):
        y.backward()


def peak(loss: Callable[[nn.Module, Tensor], Tensor], twice: bool) -> float:
    """Of the gradients of a loss of 12 residual blocks, in outputs of a block."""
    network = nn.Sequential(*(ResidualBlock(4) for _ in range(12)))
    if twice:
        checkpoint_blocks(network)
    x = torch.randn(8, 4, 16, 16)
    with Peak() as peak:
        parameters = list(network.parameters())
        torch.autograd.grad(loss(network, x), parameters, allow_unused=True)
    return peak.most / (x.numel() * x.element_size())


def test_less_is_kept() -> None:
    """What each of a block's five layers is given, or x of each block and five tensors of one."""

    def loss(network: nn.Module, x: Tensor) -> Tensor:
        return network(x).sum()

    assert peak(loss, twice=False) > 12 * 5
    assert peak(loss, twice=True) < 12 + 5 + 2


def test_less_is_kept_for_second_derivatives() -> None:
    """Of each block x and what the gradient's layers are given, but not what its own are."""

    def loss(network: nn.Module, x: Tensor) -> Tensor:
        return slope_penalty(network, x)

    plain, twice = peak(loss, twice=False), peak(loss, twice=True)
    assert twice < plain - 12 * 2


def test_blocks_are_the_elements_of_outermost_containers() -> None:
    def layer() -> nn.Module:
        return nn.Linear(1, 1)

    residual, flat = ResidualBlock(1), nn.Sequential(layer(), nn.ReLU())
    nested = nn.Sequential(nn.Sequential(nn.Sequential(layer())), residual)
    network = nn.Module()
    network.l0, network.l1 = flat, layer()
    network.stages = nn.ModuleList([nn.ModuleList([nested, layer()]), layer()])
    network.outputs = nn.ModuleList([layer(), layer()])
    assert list(blocks(network)) == [flat, nested]
    assert list(blocks(nested)) == list(nested)
    assert list(blocks(layer())) == []
