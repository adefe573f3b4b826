"""Blocks that are computed twice: the same numbers to the last bit, and less that is kept."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peak import Peak
from torch import Tensor, nn

from ganlib.common.losses import slope_penalty
from ganlib.common.networks.resnet import GenBlock
from ganlib.config import RunConfig
from ganlib.contract.tape import prepare, record
from ganlib.contract.test_contract import assert_same, brief
from ganlib.registry import algorithms
from ganlib.runs.settings import resolve
from ganlib.speed.accelerate import accelerate
from ganlib.speed.checkpoint import blocks, checkpoint_blocks
from ganlib.speed.graph import WARM_UP, Graphs

Make = Callable[..., Any]


def fast(updater: Any, **settings: Any) -> Any:
    accelerate(updater, RunConfig(algorithm="dcgan", **settings), 10, pytest.fail)
    return updater


def pair(make: Callable[[], Any], **settings: Any) -> tuple[Any, Any]:
    """One updater as it is, and one whose blocks are computed twice."""
    return fast(make(), **settings), fast(make(), checkpoint_blocks=True, **settings)


def assert_same_updates(plain: Any, twice: Any, n: int = 2) -> None:
    for _ in range(n):
        assert_same(plain.update(), twice.update())
    assert_same(plain.state(), twice.state())


@pytest.mark.parametrize("algorithm", algorithms.names())
def test_updates_are_the_plain_ones(algorithm: str, make_updater: Make) -> None:
    settings = {"ema_decay": 0.9, **brief(algorithm)}
    plain, twice = pair(lambda: make_updater(algorithm, **settings))
    networks = [child for child in twice.children() if any(True for _ in child.parameters())]
    assert all(any(True for _ in blocks(network)) for network in networks)
    assert_same_updates(plain, twice)


RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "batch normalisation": ("dcgan", {}),
    "spectral normalisation": ("sngan", {"architecture": "resnet", "width": 0.03, "n_dis": 1}),
    "a penalty": ("wgan_gp", {"n_dis": 1}),
    "dropout": ("improved_gan", {}),
    "noise": ("improved_gan", {"architecture": "mnist"}),
    "what blocks are told": ("biggan", {"architecture": "quick", "width": 0.25, "n_dis": 1}),
    "augmentation": ("dfm", {"diffaugment": "color,translation"}),
}


@pytest.mark.parametrize("what", RECIPES)
def test_so_are_passes_over_parts_of_a_batch(what: str, make_updater: Make) -> None:
    name, settings = RECIPES[what]
    plain, twice = pair(lambda: make_updater(name, **settings), accumulate=2)
    assert_same_updates(plain, twice)


@pytest.mark.parametrize("what", RECIPES)
def test_so_are_captured_updates(
    what: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the stand-in for a CUDA graph that ganlib/contract/tape.py explains."""
    name, settings = RECIPES[what]
    plain, twice = pair(lambda: make_updater(name, **settings))
    prepare(monkeypatch, plain, twice)
    twice.perform = Graphs(twice, record, pytest.fail)
    assert_same_updates(plain, twice, WARM_UP + 2)


@pytest.mark.parametrize("what", ["spectral normalisation", "dropout", "a penalty"])
def test_so_are_updates_in_bfloat16(what: str, make_updater: Make) -> None:
    name, settings = RECIPES[what]
    assert_same_updates(*pair(lambda: make_updater(name, **settings), precision="bf16"))


def peak(loss: Callable[[nn.Module, Tensor], Tensor], twice: bool) -> float:
    """Of the gradients of a loss of 12 residual blocks, in outputs of a block."""
    network = nn.Sequential(*(GenBlock(4, 4, up=1) for _ in range(12)))
    if twice:
        checkpoint_blocks(network)
    x = torch.randn(8, 4, 16, 16)
    with Peak() as peak:
        parameters = list(network.parameters())
        torch.autograd.grad(loss(network, x), parameters, allow_unused=True)
    return peak.most / (x.numel() * x.element_size())


def test_less_is_kept() -> None:
    """Four tensors of each block (x, two ReLUs, what the second normalisation is given), or x of
    each and four of one.
    """

    def loss(network: nn.Module, x: Tensor) -> Tensor:
        return network(x).sum()

    assert peak(loss, twice=False) > 12 * 4
    assert peak(loss, twice=True) < 12 + 4 + 1


def test_less_is_kept_for_second_derivatives() -> None:
    """Of each block x and what the gradient's layers are given, but not what its own are."""

    def loss(network: nn.Module, x: Tensor) -> Tensor:
        return slope_penalty(network, x)

    plain, twice = peak(loss, twice=False), peak(loss, twice=True)
    assert twice < plain - 12 * 2


def test_blocks_are_the_elements_of_outermost_containers() -> None:
    def layer() -> nn.Module:
        return nn.Linear(1, 1)

    residual, flat = GenBlock(1, 1), nn.Sequential(layer(), nn.ReLU())
    nested = nn.Sequential(nn.Sequential(nn.Sequential(layer())), residual)
    network = nn.Module()
    network.l0, network.l1 = flat, layer()
    network.stages = nn.ModuleList([nn.ModuleList([nested, layer()]), layer()])
    network.outputs = nn.ModuleList([layer(), layer()])
    assert list(blocks(network)) == [flat, nested]
    assert list(blocks(nested)) == list(nested)
    assert list(blocks(layer())) == []


def test_networks_without_blocks_are_said_to_have_none(make_updater: Make) -> None:
    updater, said = make_updater("dcgan", architecture="mlp"), []
    updater.gen.layers = updater.dis.layers = nn.Identity()
    settings = RunConfig(algorithm="dcgan", checkpoint_blocks=True)
    accelerate(updater, settings, 10, said.append)
    assert said == ["--checkpoint-blocks changes nothing: these networks have no blocks."]


def test_a_resume_may_switch_it() -> None:
    plain, twice = ({"algorithm": "dcgan", "checkpoint_blocks": on} for on in (False, True))
    assert resolve(plain).trajectory() == resolve(twice).trajectory()
