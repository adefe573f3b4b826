"""SAGAN: the authors' sizes, where attention is, and the two learning rates."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from parameters import count
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.layers.attention import SelfAttention
from ganlib.common.layers.conditional import ClassBatchNorm2d
from ganlib.common.layers.spectral_norm import SNConv2d, SNEmbedding, SNLinear
from ganlib.common.networks.resnet import WideDisBlock
from ganlib.registry import algorithms

Make = Callable[..., Any]
ALGORITHM = algorithms["sagan"]
SIDES = {"imagenet128": 128, "imagenet128_at64": 128, "cifar10": 32, "quick": 32, "mlp": 32}
RESIDUAL = [name for name in SIDES if name not in ("quick", "mlp")]


def build(architecture: str, image: tuple[int, int, int], n_classes: int = 10, width: float = 1.0):
    torch.manual_seed(0)
    config = ALGORITHM.config(architecture=architecture, width=width)
    networks = ALGORITHM.build(config, DataSpec(image, image, n_classes=n_classes))
    assert list(networks) == ["gen", "dis"]
    return networks.values()


@pytest.mark.parametrize(
    ("architecture", "gen_count", "dis_count"),
    [
        ("imagenet128", 42_078_852, 39_463_618),
        ("imagenet128_at64", 42_017_412, 39_448_258),
    ],
)
def test_the_authors_sizes(architecture: str, gen_count: int, dis_count: int) -> None:
    with torch.device("meta"):
        gen, dis = build(architecture, (3, 128, 128), 1000)
        y = torch.arange(2)
        images = gen(gen.make_hidden(2), y)
        assert images.shape == (2, 3, 128, 128) and dis(images, y).shape == (2, 1)
    assert (count(gen), count(dis)) == (gen_count, dis_count)
    assert (gen.n_hidden, gen.latent) == (128, "normal")


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("imagenet128", [(256, 32, 32), (128, 32, 32)]),
        ("imagenet128_at64", [(128, 64, 64), (64, 64, 64)]),
        ("cifar10", [(256, 16, 16), (128, 16, 16)]),
        ("quick", [(32, 16, 16), (32, 16, 16)]),
    ],
)
def test_where_attention_is(architecture: str, expected: list[tuple[int, int, int]]) -> None:
    side, seen = SIDES[architecture], []
    with torch.device("meta"):
        gen, dis = build(architecture, (3, side, side))
        for net in (gen, dis):
            for m in net.modules():
                if isinstance(m, SelfAttention):
                    m.register_forward_hook(lambda _, inputs, y: seen.append(tuple(y.shape[1:])))
        y = torch.arange(2)
        dis(gen(gen.make_hidden(2), y), y)
    assert seen == expected


@pytest.mark.parametrize("architecture", [*RESIDUAL, "quick"])
def test_both_networks_are_normalised(architecture: str) -> None:
    side = SIDES[architecture]
    for net in build(architecture, (3, side, side), width=0.05):
        kinds = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
        layers = [m for m in net.modules() if isinstance(m, kinds)]
        assert layers and all(isinstance(m, SNConv2d | SNLinear) for m in layers)


@pytest.mark.parametrize("architecture", RESIDUAL)
def test_the_authors_blocks(architecture: str) -> None:
    side = SIDES[architecture]
    gen, dis = build(architecture, (3, side, side), width=0.05)
    assert sum(isinstance(m, SNEmbedding) for m in dis.modules()) == 1
    norms = [m for m in gen.modules() if isinstance(m, ClassBatchNorm2d)]
    assert len(norms) == 2 * (len(gen.blocks) - 1)
    assert all(isinstance(m, WideDisBlock | SelfAttention) for m in list(dis.features.blocks)[1:])


def test_weights_start_as_glorot_says() -> None:
    gen, _ = build("cifar10", (3, 32, 32), width=0.25)
    bound = (6 / (2 * 64 * 9)) ** 0.5
    assert gen.blocks[0].c1.weight.abs().max().item() == pytest.approx(bound, rel=1e-2)


@pytest.mark.parametrize("architecture", SIDES)
def test_other_channels_and_widths(architecture: str) -> None:
    side = SIDES[architecture]
    for width in (0.05, 1e-6):
        gen, dis = build(architecture, (1, side, side), 7, width)
        y = torch.tensor([6, 0, 3])
        x = gen(gen.make_hidden(3), y)
        assert x.shape == (3, 1, side, side) and dis(x, y).shape == (3, 1)


@pytest.mark.parametrize("architecture", SIDES)
def test_every_parameter_has_a_gradient(architecture: str) -> None:
    side = SIDES[architecture]
    gen, dis = build(architecture, (1, side, side), 3, 0.1)
    for net in (gen, dis):
        for m in net.modules():
            if isinstance(m, SelfAttention):
                nn.init.ones_(m.gamma)  # at 0 nothing of it has one but gamma
    y = torch.arange(3)
    logits = dis(gen(gen.make_hidden(3), y), y).sum()
    for net in (gen, dis):
        gradients = torch.autograd.grad(logits, list(net.parameters()), retain_graph=True)
        assert all(g.isfinite().all() for g in gradients)
        assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))


def test_sizes_of_images() -> None:
    sizes = {name: ALGORITHM.config(architecture=name).image_size(28, 28)[0] for name in SIDES}
    assert sizes == SIDES


def test_each_network_has_its_own_rate(make_updater: Make) -> None:
    """Both fall together."""
    settings = {"architecture": "mlp", "lr_decay": "linear", "max_iter": 4}
    updater = make_updater("sagan", **settings)
    rates: list[tuple[float, float]] = []
    for _ in range(3):
        updater.update()
        groups = [updater.optimizer[name].param_groups[0] for name in ("gen", "dis")]
        rates.append((float(groups[0]["lr"]), float(groups[1]["lr"])))
    expected = [(1e-4 * t, 4e-4 * t) for t in (1, 0.75, 0.5)]
    for found, wanted in zip(rates, expected, strict=True):
        assert found == pytest.approx(wanted)


def test_an_iteration_is_one_step_of_each(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("sagan", architecture="mlp")
    steps: list[list[str]] = []
    step = updater.step

    def watch(**losses: Tensor) -> None:
        steps.append(list(losses))
        step(**losses)

    monkeypatch.setattr(updater, "step", watch)
    updater.update()
    assert steps == [["dis"], ["gen"]] and updater.images == updater.config.batch_size
