"""BEGAN: sizes, the autoencoder's error, k and the measure, and when the learning rates halve."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from parameters import count
from torch import Tensor, nn

from ganlib.began.net import build, strided_elu_conv
from ganlib.began.updater import Config
from ganlib.common.data import DataSpec

Make = Callable[..., Any]

COUNTS = [
    ("dcgan", 32, 3_811_459, 7_615_363, 128),
    ("dcgan_bn", 32, 3_828_739, 7_615_363, 128),
    ("paper", 32, 1_421_443, 7_128_643, 64),
    ("paper", 64, 1_716_611, 13_405_379, 64),
    ("paper", 128, 2_011_779, 23_221_443, 64),
]


def networks(architecture: str, image: tuple[int, int, int], width: float = 1.0) -> Any:
    torch.manual_seed(0)
    config = Config.model_validate({"architecture": architecture, "width": width})
    return build(config, DataSpec(image, image))


# --- The networks


@pytest.mark.parametrize(("architecture", "side", "gen_count", "dis_count", "n_hidden"), COUNTS)
def test_sizes(architecture: str, side: int, gen_count: int, dis_count: int, n_hidden: int) -> None:
    with torch.device("meta"):
        nets = networks(architecture, (3, side, side))
    assert (count(nets["gen"]), count(nets["dis"])) == (gen_count, dis_count)
    assert (nets["gen"].n_hidden, nets["gen"].latent) == (n_hidden, "uniform")


@pytest.mark.parametrize("architecture", ["dcgan", "dcgan_bn", "paper", "quick", "mlp"])
@pytest.mark.parametrize("image", [(1, 32, 32), (3, 48, 48), (1, 16, 16)])
def test_other_images(architecture: str, image: tuple[int, int, int]) -> None:
    nets = networks(architecture, image, width=0.05)
    x = nets["gen"](nets["gen"].make_hidden(2))
    assert x.shape == nets["dis"](x).shape == (2, *image)
    parameters = [*nets["gen"].parameters(), *nets["dis"].parameters()]
    gradients = torch.autograd.grad(nets["dis"](x).sum(), parameters)
    assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize(
    ("architecture", "activations"),
    [
        ("dcgan", {nn.ReLU, nn.LeakyReLU, nn.Tanh}),
        ("dcgan_bn", {nn.ReLU, nn.LeakyReLU, nn.Tanh}),
        ("paper", {nn.ELU}),
        ("mlp", {nn.ReLU}),
    ],
)
def test_activations_and_normalisation(architecture: str, activations: set[type]) -> None:
    nets = networks(architecture, (3, 32, 32), width=0.05)
    modules = [m for net in nets.values() for m in net.modules()]
    known = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.Tanh)
    assert {type(m) for m in modules if isinstance(m, known)} == activations
    normed = {k for k, n in nets.items() for m in n.modules() if "BatchNorm" in type(m).__name__}
    assert normed == ({"gen"} if architecture in ("dcgan_bn", "mlp") else set())
    assert all(m.negative_slope == 0.2 for m in modules if isinstance(m, nn.LeakyReLU))


def test_tanh_bounds_the_reconstruction_of_dcgan_alone() -> None:
    x = torch.full((2, 1, 32, 32), 100.0)
    nets = {name: networks(name, (1, 32, 32), 0.05)["dis"] for name in ("dcgan", "paper")}
    with torch.no_grad():
        for net in nets.values():
            for p in net.parameters():
                p.mul_(10)
        most = {name: net.decoder(net.encoder(x)).abs().max() for name, net in nets.items()}
        assert most["dcgan"] <= 1 < most["paper"]


@pytest.mark.parametrize(("width", "std"), [(1.0, 0.02), (0.25, 0.04)])
def test_narrow_networks_without_normalisation_start_larger(width: float, std: float) -> None:
    torch.manual_seed(0)
    nets = networks("dcgan", (3, 32, 32), width)
    for net in nets.values():
        layers = [m for m in net.modules() if isinstance(m, nn.Linear)]
        assert all(m.weight.std().item() == pytest.approx(std, rel=0.02) for m in layers)
    (l0,) = (
        m
        for m in networks("dcgan_bn", (3, 32, 32), width)["gen"].modules()
        if isinstance(m, nn.Linear)
    )
    assert l0.weight.std().item() == pytest.approx(0.02, rel=0.02)


def test_a_point_does_not_fit_into_the_code() -> None:
    dis = networks("mlp", (2, 1, 1))["dis"]
    assert dis.encoder(torch.rand(5, 2, 1, 1)).shape == (5, 1)


def by_the_layer_table(parameters: list[nn.Parameter], x: Tensor, n: int, n_code: int) -> Tensor:
    """AE(x) as in DiscriminatorCNN, carpedm20/BEGAN-tensorflow models.py, from weights in order.

    x (N, C, side, side); n channels at the first size.
    """
    weights = iter(parameters)

    def linear(h: Tensor) -> Tensor:
        return h @ next(weights).T + next(weights)

    def conv(h: Tensor, ch: int, stride: int = 1) -> Tensor:
        weight, bias = next(weights), next(weights)
        assert len(weight) == ch
        around = (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1)
        return F.conv2d(F.pad(h, around), weight, bias, stride)

    def elu(h: Tensor) -> Tensor:
        return torch.where(h > 0, h, torch.expm1(h))

    repeat = int(np.log2(x.shape[-1])) - 2
    h = elu(conv(x, n))
    for i in range(repeat):
        ch = n * (i + 1)
        h = elu(conv(elu(conv(h, ch)), ch))
        if i < repeat - 1:
            h = elu(conv(h, ch, stride=2))
    code = linear(h.reshape(len(x), 8 * 8 * n * repeat))
    assert code.shape == (len(x), n_code)
    h = linear(code).reshape(len(x), n, 8, 8)
    for i in range(repeat):
        h = elu(conv(elu(conv(h, n)), n))
        if i < repeat - 1:
            h = h.repeat_interleave(2, 2).repeat_interleave(2, 3)
    h = conv(h, x.shape[1])
    assert next(weights, None) is None
    return h


@pytest.mark.parametrize("side", [16, 32, 64])
def test_the_papers_autoencoder_by_hand(side: int) -> None:
    dis = networks("paper", (3, side, side), width=0.04)["dis"].double()
    for p in dis.parameters():
        if p.dim() == 1:
            nn.init.normal_(p, 0, 0.1)
    x = torch.rand(2, 3, side, side, dtype=torch.float64) * 2 - 1
    expected = by_the_layer_table(list(dis.parameters()), x, n=5, n_code=64)
    torch.testing.assert_close(dis(x), expected - x, rtol=0, atol=1e-12)


def test_the_papers_generator_is_its_decoder() -> None:
    nets = networks("paper", (3, 32, 32), width=0.04)
    gen, decoder = nets["gen"].double(), nets["dis"].decoder.double()
    decoder.load_state_dict(gen.state_dict())
    z = gen.make_hidden(2)
    assert torch.equal(gen(z), decoder(z))


def test_the_papers_layers_start_with_glorot_and_zero_biases() -> None:
    """slim's default: U(-s, s), s^2 = 6 / (fan_in + fan_out)."""
    for net in networks("paper", (3, 32, 32), width=0.5).values():
        for m in net.modules():
            if isinstance(m, nn.Conv2d | nn.Linear):
                d_out, d_in, *kernel = m.weight.shape
                bound = (6 / ((d_out + d_in) * np.prod(kernel))) ** 0.5
                assert 0.98 * bound < m.weight.abs().max().item() <= bound
                assert not m.bias.any()


def test_strided_convolutions_pad_as_tensorflow() -> None:
    pad, conv, _ = strided_elu_conv(1)
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)
    # Output i covers inputs 2 * i to 2 * i + 2: input 6 is seen by 2 (4 to 6) and 3 (6 to 8).
    for pixel, seen in [(0, [[0, 0]]), (6, [[2, 2], [2, 3], [3, 2], [3, 3]]), (7, [[3, 3]])]:
        x = torch.zeros(1, 1, 8, 8)
        x[..., pixel, pixel] = 1
        assert conv(pad(x))[0, 0].nonzero().tolist() == seen


# --- The losses


def test_the_error_is_l1_over_everything(make_updater: Make) -> None:
    updater = make_updater("began", 3, 32, dtype=torch.float64)
    x, _ = next(updater.data)
    fake = updater.fake(updater.hidden(2))
    losses = updater.loss_dis(x, fake)
    for batch, loss in zip((x, fake), losses, strict=True):
        copy = updater.dis.decoder(updater.dis.encoder(batch)).detach().numpy()
        by_hand = sum(
            abs(a - b) for a, b in zip(copy.ravel(), batch.numpy().ravel(), strict=True)
        ) / (len(batch) * 3 * 32 * 32)
        assert loss.item() == pytest.approx(by_hand, rel=1e-12)


def test_of_an_augmented_image_the_error_is_against_itself(make_updater: Make) -> None:
    updater = make_updater("began", diffaugment="color,translation,cutout")
    updater.dis.encoder, updater.dis.decoder = nn.Identity(), nn.Identity()
    x, _ = next(updater.data)
    assert updater.error(x) == 0


class Scale(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0.25 * x


def test_the_generators_gradient_goes_through_input_and_target(make_updater: Make) -> None:
    """With AE(v) = v / 4 the error is 3/4 mean |v|; with a constant target it would not be."""
    updater = make_updater("began", dtype=torch.float64)
    updater.dis.encoder, updater.dis.decoder = Scale(), nn.Identity()
    v = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(updater.error(v), v)
    torch.testing.assert_close(slope, 0.75 * v.detach().sign() / v.numel())


# --- k and the measure


def record(updater: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """L(x) and L(G(z)) of every update from now on."""
    seen: list[tuple[float, float]] = []
    loss_dis = updater.loss_dis

    def watch(x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = loss_dis(x_real, x_fake)
        seen.append((real.item(), fake.item()))
        return real, fake

    monkeypatch.setattr(updater, "loss_dis", watch)
    return seen


def scale(net: nn.Module, factor: float) -> None:
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(factor)


def test_k_and_the_measure_follow_the_losses(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    gamma, lambda_k = 0.4, 1.5
    updater = make_updater("began", dtype=torch.float64, gamma=gamma, lambda_k=lambda_k)
    seen = record(updater, monkeypatch)
    k, ks = 0.0, []
    for t in range(16):
        if t == 8:  # images that were easy for the autoencoder become hard ones
            scale(updater.gen, 5)
        log = {name: float(value) for name, value in updater.update().items()}
        real, fake = seen[-1]
        assert log["loss_gen"] == pytest.approx(fake, rel=1e-12)  # before either network moved
        assert log["loss_dis"] == pytest.approx(real - k * fake, rel=1e-5)
        assert log["measure"] == pytest.approx(real + abs(gamma * real - fake), rel=1e-9)
        k = float(np.clip(k + lambda_k * (gamma * real - fake), 0, 1))
        assert log["kt"] == pytest.approx(k, abs=1e-5)
        ks.append(k)
    assert 0 < ks[0] < ks[1] and max(ks) == 1 and min(ks[8:]) == 0  # up, down, and both limits


def test_k_stops_at_one(make_updater: Make) -> None:
    updater = make_updater("began", lambda_k=100)
    scale(updater.gen, 0)
    updater.update()
    assert updater.kt == 1


def test_all_gpus_have_one_k(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """k and the measure follow the mean over the GPUs, not this one's losses."""
    updater = make_updater("began", gamma=0.5, lambda_k=0.1)
    means = iter([torch.tensor(0.8), torch.tensor(0.1)])
    monkeypatch.setattr(updater, "mean", lambda value: next(means))
    log = updater.update()
    assert log["kt"].item() == pytest.approx(0.1 * (0.5 * 0.8 - 0.1))
    assert log["measure"].item() == pytest.approx(0.8 + 0.3)


# --- Halving


def factors(measures: list[float], interval: int, floor: float) -> list[float]:
    """The rule in NumPy: the factor after each iteration."""
    factor, best, result = 1.0, np.inf, []
    for t in range(len(measures)):
        if (t + 1) % interval == 0:
            mean = np.mean(measures[t + 1 - interval : t + 1])
            if mean > 0.99 * best:
                factor = max(factor / 2, floor)
            best = min(best, mean)
        result.append(factor)
    return result


@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_the_rates_halve_when_the_measure_stalls(make_updater: Make, floor: float) -> None:
    updater = make_updater("began", stall_interval=5, adam_alpha=0.01, stall_rate=0.01 * floor)
    random = np.random.default_rng(0)
    trend = [1.0, 0.9, 0.895, 0.8, 1.2, 0.85, 0.7, 0.7, 0.694, 0.6]
    measures = [m + 0.3 * e for m in trend for e in random.uniform(-1, 1, 5)]
    now = []
    for t, measure in enumerate(measures):
        updater.clock.fill_(t)
        updater.halve_if_stalled(torch.tensor(measure))
        now.append(updater.lr_factor.item())
    expected = factors(measures, 5, floor)
    assert now == pytest.approx(expected, rel=1e-6)
    assert len(set(expected)) > 2  # 1, then halved more than once


def test_both_networks_learn_at_the_halved_rate(make_updater: Make) -> None:
    updater = make_updater("began", adam_alpha=0.5, lr_decay="linear", max_iter=2)
    updater.update()
    updater.lr_factor.fill_(0.25)
    updater.update()
    for name in ("gen", "dis"):
        (group,) = updater.optimizer[name].param_groups
        assert float(group["lr"]) == 0.5 * 0.5 * 0.25


def test_the_rates_stay_by_default(make_updater: Make) -> None:
    updater = make_updater("began")
    for _ in range(3):
        updater.update()
    assert updater.lr_factor == 1 and updater.measure_sum == 0


def test_k_and_a_stall_are_resumed_bitwise(make_updater: Make) -> None:
    """Stopped between two comparisons, after the rates were halved."""
    settings = {"stall_interval": 2, "lambda_k": 0.1, "adam_alpha": 1e-9}  # hardly learns
    straight, first, second = (make_updater("began", **settings) for _ in range(3))
    for _ in range(9):
        straight.update()
        first.update()
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second.load_state(torch.load(file, weights_only=True))
    assert second.kt > 0 and second.lr_factor < 1 and 0 < second.measure_best < np.inf
    assert second.measure_sum > 0
    for _ in range(4):
        a, b = straight.update(), second.update()
        assert all(torch.equal(a[name], b[name]) for name in a)
    for name in ("kt", "measure_sum", "measure_best", "lr_factor"):
        assert torch.equal(getattr(straight, name), getattr(second, name)), name
