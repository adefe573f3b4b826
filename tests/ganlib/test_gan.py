"""The first GAN: its networks, and one update against formulas by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from parameters import count
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.gan.net import build
from ganlib.gan.updater import Config
from ganlib.registry import algorithms

Make = Callable[..., Any]


def networks(architecture: str, image: tuple[int, int, int], width: float = 1.0) -> Any:
    torch.manual_seed(0)
    config = Config(architecture=architecture, width=width)
    return build(config, DataSpec(image, image)).values()


@pytest.mark.parametrize(
    ("architecture", "image", "gen_count", "dis_count"),
    [
        ("mnist", (1, 28, 28), 2_503_984, 1_231_441),
        ("cifar_fc", (3, 32, 32), 89_395_072, 37_393_601),
    ],
)
def test_the_authors_networks(
    architecture: str, image: tuple[int, int, int], gen_count: int, dis_count: int
) -> None:
    with torch.device("meta"):
        gen, dis = networks(architecture, image)
        x = gen(gen.make_hidden(2))
        assert gen.n_hidden == 100 and x.shape == (2, *image) and dis(x).shape == (2, 1)
    assert (count(gen), count(dis)) == (gen_count, dis_count)


def test_weights_start_as_the_authors() -> None:
    bounds = {
        "mnist": ([0.05, 0.05, 0.05], [0.005] * 3),
        "cifar_fc": ([0.05, 0.05, 0.5], [0.005] * 3),
    }
    for architecture, expected in bounds.items():
        for net, bound in zip(
            networks(architecture, (1, 28, 28), width=0.2), expected, strict=True
        ):
            weights = [m.weight.detach() for m in net.modules() if isinstance(m, nn.Linear)]
            largest = [w.abs().max().item() for w in weights]
            assert all(0.85 * b < m <= b for m, b in zip(largest, bound, strict=True))
            assert [w.std().item() for w in weights] == pytest.approx(
                [b / math.sqrt(3) for b in bound], rel=0.2
            )
            assert not any(m.bias.any() for m in net.modules() if isinstance(m, nn.Linear))


def test_the_generator_is_its_formula() -> None:
    """The first layer sees noise of variance 1, and pixels are sigmoids."""
    gen, _ = networks("mnist", (1, 4, 5), width=0.05)
    z = gen.make_hidden(5000)
    assert z.abs().max() <= 1
    seen: list[Tensor] = []
    gen.layers[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    x = gen(z)
    assert seen[0].var().item() == pytest.approx(1, rel=0.01)
    assert seen[0].abs().max().item() == pytest.approx(math.sqrt(3), rel=1e-3)
    w = [m.weight.detach().numpy() for m in gen.layers if isinstance(m, nn.Linear)]
    h = np.maximum(np.maximum(math.sqrt(3) * z.numpy() @ w[0].T, 0) @ w[1].T, 0) @ w[2].T
    expected = 2 / (1 + np.exp(-h)) - 1
    np.testing.assert_allclose(x.detach().numpy().reshape(5000, -1), expected, atol=1e-5)


def test_the_cifar_generator_has_a_sigmoid_inside_and_none_outside() -> None:
    gen, _ = networks("cifar_fc", (3, 8, 8), width=0.02)
    z = gen.make_hidden(7)
    w = [m.weight.detach().numpy() for m in gen.layers if isinstance(m, nn.Linear)]
    h = 1 / (1 + np.exp(-np.maximum(z.numpy() @ w[0].T, 0) @ w[1].T)) @ w[2].T
    np.testing.assert_allclose(gen(z).detach().numpy().reshape(7, -1), h, atol=1e-4)
    assert gen(z).abs().max() > 1


def test_dropout_of_the_discriminator() -> None:
    """Of black and white pixels 0.8 stay, 1.25 times as bright; black ones stay black."""
    _, dis = networks("mnist", (1, 100, 100), width=0.05)
    seen: dict[int, Tensor] = {}
    for i in (1, 3, 5):
        dis.layers[i].register_forward_pre_hook(lambda _, x, i=i: seen.update({i: x[0].detach()}))
    x = torch.ones(50, 1, 100, 100)
    x[..., 50:] = -1
    dis(x)
    white, black = seen[1].unflatten(1, (100, 100)).split(50, dim=2)
    assert not black.any()
    assert white.unique().tolist() == pytest.approx([0, 1.25])
    assert (white > 0).float().mean().item() == pytest.approx(0.8, abs=0.005)
    dis.eval()
    dis(x)
    h = seen[3].clone()
    dis.train()
    assert dis.layers[2](h)[h != 0].unique().numel() > 1
    ratio = (dis.layers[2](h.abs() + 1) / (h.abs() + 1)).round(decimals=4)
    assert set(ratio.unique().tolist()) == {0, 2}
    assert (ratio > 0).float().mean().item() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("loss", ["nonsaturating", "minimax"])
def test_an_update_is_simultaneous(loss: str, make_updater: Make) -> None:
    """Both networks move by gradients at the old weights, of formulas written out here."""
    updater = make_updater("gan", loss=loss, dtype=torch.float64, lr=0.5, batch_size=8)
    twin = make_updater("gan", loss=loss, dtype=torch.float64, lr=0.5, batch_size=8)
    x_real, _ = next(twin.data)
    torch.manual_seed(5)
    z = twin.hidden(8)
    p_real, p_fake = (torch.sigmoid(twin.dis(x)) for x in (x_real, twin.gen(z)))
    loss_dis = -0.5 * (p_real.log().mean() + (1 - p_fake).log().mean())
    loss_gen = (1 - p_fake).log().mean() if loss == "minimax" else -p_fake.log().mean()
    gen, dis = list(twin.gen.parameters()), list(twin.dis.parameters())
    expected_gen = [
        p - 0.5 * g
        for p, g in zip(gen, torch.autograd.grad(loss_gen, gen, retain_graph=True), strict=True)
    ]
    expected_dis = [
        p - 0.5 * g for p, g in zip(dis, torch.autograd.grad(loss_dis, dis), strict=True)
    ]
    torch.manual_seed(5)
    found = updater.update_core()
    assert found["loss_dis"].item() == pytest.approx(loss_dis.item(), rel=1e-12)
    assert found["loss_gen"].item() == pytest.approx(loss_gen.item(), rel=1e-12)
    torch.testing.assert_close(list(updater.gen.parameters()), expected_gen)
    torch.testing.assert_close(list(updater.dis.parameters()), expected_dis)


def test_momentum_and_learning_rate_follow_the_authors_schedule(make_updater: Make) -> None:
    updater = make_updater("gan")
    assert [updater.phase(k) for k in (0, 3124, 3126, 62_500, 125_000, 500_000)] == [
        *(0.5, 0.5, 0.51, 0.6, 0.7, 0.7)
    ]
    assert len({updater.phase(k) for k in range(0, 130_000, 100)}) == 21
    still = make_updater("gan", momentum=0.996, momentum_end=0.996)
    assert still.phase(0) == 0.996  # and not 1
    for k in (0, 1, 1000, 2_000_000):
        assert updater.schedule(k)["lr"] == pytest.approx(math.exp(-k * math.log(1.000004)))
    assert updater.schedule(10_000_000)["lr"] * 0.1 == pytest.approx(1e-6)
    updater.iteration = 62_500
    updater.update()
    groups = [g for o in updater.optimizer.values() for g in o.param_groups]
    assert [g["momentum"] for g in groups] == [0.6, 0.6]
    assert [float(g["lr"]) for g in groups] == pytest.approx([0.1 / 1.000004**62_500] * 2, rel=1e-5)


def test_two_steps_of_momentum_by_hand(make_updater: Make) -> None:
    updater = make_updater("gan", dtype=torch.float64, lr=0.2, lr_divisor=1.0)
    weight = updater.dis.layers[5].weight
    start, direction = weight.detach().clone(), torch.ones_like(weight)
    updater.prepare()
    updater.set_momentum()
    for _ in range(2):  # v = 1, then v = 0.5 + 1
        updater.step(dis=(weight * direction).sum())
    torch.testing.assert_close(weight.detach(), start - 0.2 * (1 + 1.5))


def test_adam_is_an_option(make_updater: Make) -> None:
    updater = make_updater("gan", optimizer="adam", adam_alpha=3e-3)
    assert {type(o).__name__ for o in updater.optimizer.values()} == {"Adam"}
    assert updater.phase(0) == updater.phase(10**6)
    updater.update()


def test_images_keep_their_size() -> None:
    assert algorithms["gan"].config().image_size(28, 30) == (28, 30)


def test_with_more_steps_of_d_they_come_one_after_the_other(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Algorithm 1 with k = 3: its order, fresh images for each step, and its first loss by hand."""
    updater = make_updater("gan", architecture="mlp", n_dis=3)
    steps: list[dict[str, float]] = []
    seen: list[Tensor] = []
    first: list[tuple[Tensor, Tensor]] = []
    step, loss_dis = updater.step, updater.loss_dis

    def watch(**losses: Tensor) -> None:
        steps.append({name: float(loss.detach()) for name, loss in losses.items()})
        step(**losses)

    def look(x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(x_real.clone())
        first.append((updater.dis(x_real).detach(), updater.dis(x_fake).detach()))
        result: tuple[Tensor, Tensor] = loss_dis(x_real, x_fake)
        return result

    monkeypatch.setattr(updater, "step", watch)
    monkeypatch.setattr(updater, "loss_dis", look)
    updater.update()
    assert [list(losses) for losses in steps] == [["dis"], ["dis"], ["dis"], ["gen"]]
    assert updater.images == 12 and not torch.equal(seen[0], seen[1])
    y_real, y_fake = (y.double().numpy() for y in first[0])
    expected = (np.log1p(np.exp(-y_real)).mean() + np.log1p(np.exp(y_fake)).mean()) / 2
    assert steps[0]["dis"] == pytest.approx(expected, rel=1e-5)
