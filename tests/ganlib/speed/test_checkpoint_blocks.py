"""Updates of networks whose blocks are computed twice: the same numbers to the last bit."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from ganlib.common.layers.checkpoint import blocks
from ganlib.config import RunConfig
from ganlib.contract.tape import prepare, record
from ganlib.contract.test_contract import assert_same, brief
from ganlib.registry import algorithms
from ganlib.runs.settings import resolve
from ganlib.speed.accelerate import accelerate
from ganlib.speed.graph import WARM_UP, Graphs

Make = Callable[..., Any]


def fast(updater: Any, **settings: Any) -> Any:
    accelerate(updater, RunConfig(algorithm="dcgan", **settings), 10, pytest.fail)
    return updater


def pair(make: Callable[[], Any], **settings: Any) -> tuple[Any, Any]:
    """One updater as it is, and one whose blocks are computed twice."""
    return fast(make(), **settings), fast(make(), checkpoint_blocks=True, **settings)


def assert_same_updates(plain: Any, twice: Any, n: int = 1) -> None:
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
HARD = ("spectral normalisation", "a penalty", "dropout")
"""Of which bf16 and graphs are asked first: buffers that move, a second derivative, a draw."""
SLOW = [pytest.param(what, marks=pytest.mark.slow) for what in RECIPES if what not in HARD]


@pytest.mark.parametrize("what", RECIPES)
def test_so_are_micro_batches(what: str, make_updater: Make) -> None:
    name, settings = RECIPES[what]
    plain, twice = pair(lambda: make_updater(name, **settings), accumulate=2)
    assert_same_updates(plain, twice)


@pytest.mark.parametrize("what", [*HARD, *SLOW])
def test_so_are_captured_updates(
    what: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the stand-in for a CUDA graph that ganlib/contract/tape.py explains."""
    name, settings = RECIPES[what]
    plain, twice = pair(lambda: make_updater(name, **settings))
    prepare(monkeypatch, plain, twice)
    twice.perform = Graphs(twice, record, pytest.fail)
    assert_same_updates(plain, twice, WARM_UP + 2)


@pytest.mark.parametrize("what", HARD)
def test_so_are_updates_in_bfloat16(what: str, make_updater: Make) -> None:
    name, settings = RECIPES[what]
    assert_same_updates(*pair(lambda: make_updater(name, **settings), precision="bf16"))


def test_networks_without_blocks_are_said_to_have_none(make_updater: Make) -> None:
    updater, said = make_updater("dcgan", architecture="mlp"), []
    updater.gen.layers = updater.dis.layers = nn.Identity()
    settings = RunConfig(algorithm="dcgan", checkpoint_blocks=True)
    accelerate(updater, settings, 10, said.append)
    assert said == ["--checkpoint-blocks changes nothing: these networks have no blocks."]


def test_a_resume_may_switch_it() -> None:
    plain, twice = ({"algorithm": "dcgan", "checkpoint_blocks": on} for on in (False, True))
    assert resolve(plain).trajectory() == resolve(twice).trajectory()
