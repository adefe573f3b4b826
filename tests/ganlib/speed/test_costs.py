"""Costs that are counted without computing, beside those of updates that compute."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from ganlib.common.data import DataSet, fit_spec
from ganlib.common.errors import UserError
from ganlib.registry import algorithms
from ganlib.runs.settings import Settings, resolve
from ganlib.speed.accelerate import accelerate
from ganlib.speed.bench import Flops
from ganlib.speed.costs import Costs, Ledger, Operation, Peak, rehearse, turns
from ganlib.training.update.streams import loader_of

CPU = torch.device("cpu")


def settings_of(name: str, **settings: Any) -> Settings:
    return resolve({"algorithm": name, "batch_size": 4, "precision": "fp32", **settings})


def noise(name: str, image: tuple[int, int, int]) -> DataSet:
    if (example := algorithms[name].example) is not None:
        return example(*image[:2])
    x = torch.randint(256, (20, *image), dtype=torch.uint8)
    return DataSet("noise", x, torch.arange(20) % 10, x, classes=tuple("0123456789"))


def rehearsed(settings: Settings, data: DataSet, gpus: int = 1) -> Costs:
    algorithm = algorithms[settings.run.algorithm]
    return rehearse(algorithm, settings.algorithm, settings.run, data, gpus)


def computed(settings: Settings, data: DataSet) -> tuple[int, int, int]:
    """Weights, the peak and operations of the middle of a training on the CPU."""
    config, algorithm = settings.algorithm, algorithms[settings.run.algorithm]
    spec = fit_spec(data, config.image_size(*data.shape[1:]))
    with Peak() as peak, Flops() as flops:
        updater = algorithm.assemble(config, loader_of(config, data, spec, 0), spec, CPU)
        accelerate(updater, settings.run, 1, pytest.fail)
        updater.prepare()
        weights, flops.total = peak.now, 0
        updater.iteration = updater.length() // 2
        updater.update()
    return weights, peak.most, flops.total


CHEAP: dict[str, dict[str, Any]] = {
    "sngan": {"architecture": "quick", "ema_decay": 0.9},
    "wgan_gp": {"architecture": "quick", "n_dis": 1, "accumulate": 2},
    "pix2pix": {"width": 0.125, "flip": True},
}
TEN: dict[str, dict[str, Any]] = {
    **{
        name: {}
        for name in ("dcgan", "vae", "acgan", "began", "dragan", "improved_gan", "cyclegan")
    },
    "biggan": {"width": 0.5, "n_dis": 1},
    "sagan": {"width": 0.5, "precision": "bf16"},
    "r3gan": {"width": 0.5, "checkpoint_blocks": True},
}


@pytest.mark.parametrize(
    "name", [*CHEAP, *(pytest.param(name, marks=pytest.mark.slow) for name in TEN)]
)
def test_memory_and_operations_are_those_of_an_update(name: str) -> None:
    settings = settings_of(name, **{**CHEAP, **TEN}[name])
    data = noise(name, (3, 32, 32))
    costs, (weights, peak, flops) = rehearsed(settings, data), computed(settings, data)
    assert costs.weights == pytest.approx(weights, rel=0.05)
    assert costs.peak == pytest.approx(peak, rel=0.15)
    assert flops in [part.flops for part in costs.parts]


def test_the_peak_is_what_pytorchs_allocator_says() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Tanh())
    x = torch.rand(4, 3, 32, 32)
    with Peak() as peak:
        torch.autograd.grad(net(x).square().mean(), list(net.parameters()))
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        torch.autograd.grad(net(x).square().mean(), list(net.parameters()))
    totals, now = [0], 0
    for event in profiler.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            now += event.nbytes()
            totals.append(now)
    assert peak.most == pytest.approx(max(totals), rel=0.15)


def test_what_an_operation_moves_by_hand() -> None:
    a, b = torch.rand(5, 7, device="meta"), torch.rand(7, 3, device="meta")
    with Ledger() as ledger:
        (a @ b).t().relu_()
    product = Operation(2 * 5 * 7 * 3, 4 * (35 + 21 + 15), torch.float32)
    assert ledger.operations == {product: 1, Operation(0, 4 * 15, torch.float32): 1}


def test_stages_and_phases_have_their_share(make_updater: Callable[..., Any]) -> None:
    """wgan's critic is trained longer in every 500th iteration, which is left out as rare."""
    assert turns(make_updater("wgan", max_iter=4000)) == [(4000, 1501)]
    growing = make_updater("progressive", stage_images=400, last_images=800, batch_size=4)
    spans = [iterations for iterations, _ in turns(growing)]
    assert sum(spans) == growing.length()
    assert spans[-1] == 200


def test_of_several_gpus_each_has_its_share() -> None:
    """Half of the images, and one more copy of the gradients: what is sent."""
    settings, data = settings_of("dcgan", width=0.1, batch_size=64), noise("dcgan", (3, 16, 16))
    alone, shared = rehearsed(settings, data), rehearsed(settings, data, gpus=2)
    (one,), (two,) = alone.parts, shared.parts
    assert one.flops == 2 * two.flops
    assert one.images == two.images == 64
    assert shared.weights == alone.weights
    half = rehearsed(settings_of("dcgan", width=0.1, batch_size=32), data)
    networks = algorithms["dcgan"].networks(settings.algorithm, fit_spec(data, (16, 16)))
    sent = max(sum(p.nbytes for p in network.parameters()) for network in networks.values())
    assert half.peak < shared.peak <= half.peak + 1.01 * sent
    with pytest.raises(UserError, match="cannot be shared in 3 parts: 63 or 66"):
        rehearsed(settings, data, gpus=3)


@pytest.mark.slow
def test_a_pool_takes_the_images_of_all_gpus() -> None:
    settings = settings_of("cyclegan", width=0.05, batch_size=2)
    assert rehearsed(settings, noise("cyclegan", (3, 32, 32)), gpus=2).parts


@pytest.mark.parametrize("name", algorithms.names())
@pytest.mark.slow
def test_every_method_can_be_rehearsed(name: str) -> None:
    settings = settings_of(name, ema_decay=0.9, dequantize=True, precision="bf16")
    costs = rehearsed(settings, noise(name, (3, 32, 32)))
    assert 0 < costs.weights < costs.peak
    assert all(part.flops for part in costs.parts)
