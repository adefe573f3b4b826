"""StyleGAN2: the authors' sizes and initial laws, its layers, and its training by hand."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from parameters import count
from torch import Tensor

import ganlib
from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.layers.basic import PixelNoise
from ganlib.common.layers.resampling import Blur
from ganlib.registry import algorithms
from ganlib.speed.accelerate import train_in_bf16
from ganlib.stylegan2.layers import ModulatedConv2d, ToImage

Make = Callable[..., Any]
ALGORITHM = algorithms["stylegan2"]


def build(architecture: str, side: int, n_classes: int = 0, channels: int = 3) -> list[Any]:
    torch.manual_seed(0)
    config = ALGORITHM.config(architecture=architecture, labels=n_classes > 0)
    image = (channels, side, side)
    assert config.image_size(side, side) == (side, side)
    networks = ALGORITHM.build(config, DataSpec(image, image, n_classes=n_classes))
    assert list(networks) == ["gen", "dis"]
    return list(networks.values())


# --- Networks


@pytest.mark.parametrize(
    ("architecture", "side", "n_classes", "gen_count", "dis_count"),
    [
        ("cifar", 32, 0, 19_947_539, 20_720_641),
        ("cifar", 32, 10, 20_215_315, 20_988_416),
        ("auto", 64, 0, 22_243_608, 23_407_361),
        ("paper256", 256, 0, 24_767_458, 24_001_089),
        ("paper256", 256, 10, 25_035_234, 24_268_864),
        ("paper512", 512, 0, 30_276_583, 28_982_849),
        ("paper1024", 1024, 0, 30_370_060, 29_012_513),
    ],
)
def test_the_authors_sizes(
    architecture: str, side: int, n_classes: int, gen_count: int, dis_count: int
) -> None:
    with torch.device("meta"):
        gen, dis = build(architecture, side, n_classes)
        y = torch.arange(2) if n_classes else None
        images = gen(gen.make_hidden(2), y)
        assert images.shape == (2, 3, side, side) and dis(images, y).shape == (2, 1)
    assert (count(gen), count(dis)) == (gen_count, dis_count)
    assert (gen.n_hidden, gen.latent, gen.n_styles) == (512, "normal", 2 * side.bit_length() - 4)


def test_sides_are_those_of_the_networks() -> None:
    sides = {"auto": [(2, 8), (8, 8), (28, 32), (100, 128)], "paper256": [(28, 256), (300, 256)]}
    for architecture, pairs in sides.items():
        config = ALGORITHM.config(architecture=architecture)
        assert all(config.image_size(a, a - 1) == (b, b) for a, b in pairs)
    with pytest.raises(UserError, match="holds points: choose another method"):
        ganlib.train("stylegan2", dataset="ring8", gpu=-1)


def test_an_image_is_the_sum_of_what_its_sizes_add() -> None:
    gen, _ = build("quick", 32)
    w = gen.code(gen.make_hidden(2))
    more = list[Tensor]()
    for to_image in gen.images:
        to_image.register_forward_hook(lambda _, __, x: more.append(x))
    sums = gen.growing(w)
    first, *others = more
    assert [x.shape[-1] for x in sums] == [4, 8, 16]
    for x, added in zip([*sums, gen.draw(w)], [None, *others], strict=True):
        first = first if added is None else gen.up(first) + added
        assert torch.equal(x, first)


@pytest.mark.slow
def test_the_first_images_and_logits_are_as_the_authors_are() -> None:
    """Ranges over seeds of their networks for CIFAR-10: 1.26 to 1.56, 0.92 to 0.93, 2.4, 0.4 to
    0.9.
    """
    gen, dis = build("cifar", 32)
    z = gen.make_hidden(32)
    with torch.no_grad():
        images = gen(z)
        logits = dis(images)
        assert 1.2 < images.std() < 1.6 and 0.90 < gen.mapping(z).std() < 0.95
    assert abs(logits.mean()) < 2.6 and 0.3 < logits.std() < 1.0


def test_parameters_start_as_the_authors_do() -> None:
    gen, dis = build("quick", 32)
    for name, p in [*gen.named_parameters(), *dis.named_parameters()]:
        std, mean = (p.std().item(), p.mean().item()) if p.numel() > 1 else (0.0, p.item())
        if name.endswith(("bias", "strength")):
            assert (std, mean) == (0, 1 if name.endswith("style.bias") else 0), name
        elif p.numel() > 1000:
            expected = 100 if name.startswith("mapping") else 1
            assert std == pytest.approx(expected, rel=0.05), name


@pytest.mark.parametrize("up", [False, True])
def test_a_modulated_convolution_has_a_weight_for_each_sample(up: bool) -> None:
    layer = ModulatedConv2d(5, 4, 3, 6, up).double()
    x, w = torch.randn(3, 5, 8, 8).double(), torch.randn(3, 6).double()
    styles = w @ layer.style.weight.T / 6**0.5 + 1
    for k, s in enumerate(styles):
        weight = layer.weight.transpose(0, 1) if up else layer.weight  # (out, in, 3, 3)
        own = torch.stack([s[i] * weight[:, i] for i in range(5)], 1)
        own = torch.stack([v / (v.square().sum() + 1e-8).sqrt() for v in own])
        if up:
            # zeros between pixels; the transposed convolution is one with the weight turned
            wide = x.new_zeros(1, 5, 15, 15)
            wide[:, :, ::2, ::2] = x[k]
            expected = Blur(1, 4.0)(F.conv2d(wide, own.flip(2, 3), padding=2))
        else:
            expected = F.conv2d(x[k : k + 1], own, padding=1)
        torch.testing.assert_close(layer(x, w)[k : k + 1], expected)


def test_the_image_is_neither_demodulated_nor_as_strong_as_its_styles() -> None:
    layer = ToImage(4, 3, 6).double()
    x, w = torch.randn(2, 4, 5, 5).double(), torch.randn(2, 6).double()
    s = (w @ layer.style.weight.T / 6**0.5 + 1) / 2
    expected = torch.einsum("oi,ni,nihw->nohw", layer.weight[:, :, 0, 0], s, x)
    torch.testing.assert_close(layer(x, w), expected)


def test_classes_by_hand() -> None:
    gen, dis = build("quick", 16, n_classes=4, channels=1)
    z, y = gen.make_hidden(3), torch.tensor([3, 0, 3])

    def vector(layer: Any) -> Tensor:
        rows = layer.l0.weight.T[y] / 4**0.5  # of one-hot vectors, whose fan in is 4
        return rows / (rows.square().mean(1, keepdim=True) + 1e-8).sqrt()

    h = torch.cat([z / z.square().mean(1, keepdim=True).sqrt(), vector(gen.mapping.classes)], 1)
    for layer in gen.mapping.layers:
        h = F.leaky_relu(h @ layer.weight.T * 0.01 / h.shape[1] ** 0.5, 0.2) * 2**0.5
    torch.testing.assert_close(gen.mapping(z, y), h, rtol=1e-4, atol=1e-5)
    x = gen(z, y)
    found: list[Tensor] = []
    dis.last.l1.register_forward_hook(lambda _, inputs, output: found.append(output))
    logits = dis(x, y)
    expected = (found[0] * vector(dis.last.classes)).sum(1, keepdim=True) / 128**0.5
    torch.testing.assert_close(logits, expected)


def test_codes_their_mean_and_truncation() -> None:
    gen, _ = build("quick", 16, channels=1)
    z, other = gen.make_hidden(64), gen.make_hidden(64)
    w, v = gen.mapping(z), gen.mapping(other)
    mixed = gen.code(z, None, other, torch.tensor(2))
    torch.testing.assert_close(mixed[:, :2], w[:, None].expand(-1, 2, -1))
    torch.testing.assert_close(mixed[:, 2:], v[:, None].expand(-1, gen.n_styles - 2, -1))
    torch.testing.assert_close(gen.w_mean, 0.005 * w.mean(0))
    gen.eval()
    assert torch.equal(gen.code(z), gen.code(z)) and gen.w_mean.any()
    torch.testing.assert_close(gen.w_mean, 0.005 * w.mean(0))
    same = gen.code(z)[:, None].expand(-1, gen.n_styles, -1)
    for codes in (w, same):
        torch.testing.assert_close(
            gen.truncate(codes, 0.7), gen.w_mean + 0.7 * (codes - gen.w_mean)
        )
    torch.testing.assert_close(gen.draw(same), gen(z))


# --- Training


def test_layers_are_mixed_in_whole_batches(make_updater: Make) -> None:
    updater = make_updater("stylegan2", style_mixing=0.9)
    firsts = torch.stack([updater.drawn(2)[3] for _ in range(600)])
    counts = firsts.long().bincount(minlength=9)
    assert counts[0] == 0 and len(counts) == 9 and 30 < counts[8] < 95  # of 8 layers; 60
    assert counts[1:8].min() > 45  # 77
    assert make_updater("stylegan2", style_mixing=0.0).drawn(2)[2:] == (None, None)


class Adam:
    """One network's, by its paper's formulas, at the rates of lazy regularisation."""

    def __init__(self, network: Any, every: int, alpha: float, beta2: float) -> None:
        self.network, part = network, every / (every + 1)
        self.alpha, self.beta2, self.steps = alpha * part, beta2**part, 0
        self.v = [torch.zeros_like(p) for p in network.parameters()]

    def step(self, loss: Tensor) -> None:
        parameters = list(self.network.parameters())
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        self.steps += 1
        with torch.no_grad():
            for p, g, v in zip(parameters, gradients, self.v, strict=True):
                g = torch.zeros_like(p) if g is None else g  # as of biases of images in slopes
                v.mul_(self.beta2).add_((1 - self.beta2) * g**2)
                p -= self.alpha * g / ((v / (1 - self.beta2**self.steps)).sqrt() + 1e-8)


def test_updates_by_hand(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """R1 in every third iteration, path lengths in every second one, in float64."""
    monkeypatch.setattr(PixelNoise, "forward", lambda self, x: x + self.strength * self.fixed)
    drawn: list[Any] = []
    updater = make_updater(
        "stylegan2", dtype=torch.float64, r1_every=3, path_every=2, gamma=0.7, ema_images=100.0
    )
    gen, dis, averaged = (deepcopy(n) for n in (updater.gen, updater.dis, updater.average))
    adam_gen, adam_dis = Adam(gen, 2, 2.5e-3, 0.99), Adam(dis, 3, 2.5e-3, 0.99)
    for name in ("drawn", "normal"):
        original = getattr(updater, name)

        def note(*args: Any, original: Any = original) -> Any:
            drawn.append(original(*args))
            return drawn[-1]

        monkeypatch.setattr(updater, name, note)
    batches = iter(deepcopy(updater.data))
    mean, n_styles = 0.0, gen.n_styles
    for k in range(4):
        seen = updater.update()
        draws, (x, _) = iter(drawn), next(batches)
        x = x.double()

        z, _, other, first = next(draws)
        adam_gen.step(F.softplus(-dis(gen.draw(gen.code(z, None, other, first)))).mean())
        if k % 2 == 0:
            noise = next(draws) / 32
            z, _, other, first = next(draws)
            assert len(z) == len(noise) == 2  # half a batch
            codes = gen.code(z, None, other, first)
            height = (gen.draw(codes) * noise).sum()
            (slopes,) = torch.autograd.grad(height, codes, create_graph=True)
            lengths = (slopes**2).sum((1, 2)).div(n_styles).sqrt()
            new = mean + 0.01 * (lengths.mean() - mean)
            adam_gen.step(2 * 2.0 * ((lengths - new) ** 2).mean())
            mean = new.item()
            assert seen["path_length"].item() == pytest.approx(mean)
        z, _, other, first = next(draws)
        with torch.no_grad():
            fake = gen(z, None, other, first)
        adam_dis.step(F.softplus(dis(fake)).mean() + F.softplus(-dis(x)).mean())
        if k % 3 == 0:
            x.requires_grad_()
            (slope,) = torch.autograd.grad(dis(x).sum(), x, create_graph=True)
            r1 = (slope**2).sum((1, 2, 3)).mean()
            adam_dis.step(3 * 0.7 / 2 * r1)
            assert seen["r1"].item() == pytest.approx(r1.item())
        assert ("r1" in seen, "loss_path" in seen) == (k % 3 == 0, k % 2 == 0)
        assert next(draws, None) is None
        drawn.clear()
        decay = 0.5 ** (4 / max(min(100, k * 4 * 0.05), 1e-8))
        with torch.no_grad():
            for p, q in zip(averaged.parameters(), gen.parameters(), strict=True):
                p.lerp_(q, 1 - decay)
    for ours, by_hand in ((updater.gen, gen), (updater.dis, dis), (updater.average, averaged)):
        for (name, p), q in zip(ours.named_parameters(), by_hand.parameters(), strict=True):
            torch.testing.assert_close(p, q, msg=name, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(updater.gen.w_mean, gen.w_mean)
    assert torch.equal(updater.average.w_mean, updater.gen.w_mean)


def test_weights_of_the_authors_auto(make_updater: Make) -> None:
    updater = make_updater("stylegan2", batch_size=16, side=64)
    assert updater.gamma == pytest.approx(2e-4 * 64**2 / 16)
    assert make_updater("stylegan2", gamma=0.0).gamma == 0
    half = updater.schedule(10**6)["ema_decay"]
    assert half == pytest.approx(0.5 ** (16 / 5000))
    assert updater.schedule(0)["ema_decay"] == 0
    assert "ema_decay" not in make_updater("stylegan2", ema_images=0.0).schedule(0)
    flat = make_updater("stylegan2", path_weight=0.0)
    assert flat.phase(0) == (False, True)
    (group,) = flat.optimizer["gen"].param_groups  # as with it: the authors' CIFAR-10
    assert (group["lr"], group["betas"]) == (pytest.approx(2e-3), (0, pytest.approx(0.99199, 1e-5)))


def test_with_labels_every_parameter_moves(make_updater: Make) -> None:
    updater = make_updater("stylegan2", labels=True)
    before = {name: p.detach().clone() for name, p in updater.named_parameters()}
    for _ in range(2):
        updater.update()
    assert not [name for name, p in updater.named_parameters() if torch.equal(p, before[name])]


def test_in_bfloat16_losses_are_nearly_the_same(make_updater: Make) -> None:
    exact, rounded = (make_updater("stylegan2") for _ in range(2))
    for network in rounded.trained.values():
        train_in_bf16(network)
    a, b = exact.update(), rounded.update()
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert b[name].item() == pytest.approx(value.item(), rel=0.1, abs=0.02), name
