"""DFM: sizes, the three losses and whom each moves, and what the denoiser sees."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganlib.common.data import DataSpec
from ganlib.common.layers import evaluating
from ganlib.dfm.net import build
from ganlib.dfm.updater import Config
from ganlib.training.update.steps import parameters_of

Make = Callable[..., Any]
ARCHITECTURES = ["dcgan", "quick", "mlp"]


def networks(architecture: str, image: tuple[int, int, int], width: float = 1.0) -> Any:
    torch.manual_seed(0)
    config = Config.model_validate({"architecture": architecture, "width": width})
    return build(config, DataSpec(image, image))


# --- The networks


def test_sizes() -> None:
    with torch.device("meta"):
        nets = networks("dcgan", (3, 32, 32))
        x = torch.empty(2, 3, 32, 32)
        assert nets["dis"].features(x).shape == (2, 2048) and nets["dis"](x).shape == (2, 1)
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    assert counts == {"gen": 3_828_739, "dis": 2_790_593, "den": 42_000_384}
    assert sum(isinstance(m, nn.Linear) for m in nets["den"].modules()) == 10


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("image", [(1, 32, 32), (3, 48, 48), (1, 16, 16)])
def test_other_images(architecture: str, image: tuple[int, int, int]) -> None:
    nets = networks(architecture, image, width=0.05)
    x = nets["gen"](nets["gen"].make_hidden(3))
    assert x.shape == (3, *image) and nets["dis"](x).shape == (3, 1)
    features = nets["dis"].features(x)
    assert nets["den"](features).shape == features.shape == (3, nets["den"].n_features)
    torch.testing.assert_close(nets["dis"](x), nets["dis"].l4(features))


def test_images_become_multiples_of_16() -> None:
    sizes = [Config().image_size(*s) for s in [(28, 28), (32, 32), (33, 20), (1, 1)]]
    assert sizes == [(32, 32), (32, 32), (48, 48), (1, 1)]


def test_the_features_are_normalised_and_not_activated() -> None:
    dis = networks("dcgan", (3, 32, 32), width=0.25)["dis"]
    h = dis.features(torch.rand(50, 3, 32, 32)).unflatten(1, (128, 2, 2)).transpose(0, 1).flatten(1)
    torch.testing.assert_close(h.mean(1), torch.zeros(128), atol=1e-5, rtol=0)
    assert (h.var(1) > 0.5).all() and (h.var(1) < 1.01).all()  # 2e-5 under the root tells
    assert (h < 0).float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert {name for name, _ in dis.features[-2].named_parameters()} == {"bias"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_denoiser_starts_as_chainers_layers(architecture: str) -> None:
    den = networks(architecture, (3, 32, 32), width=0.5)["den"]
    for layer in den.modules():
        if isinstance(layer, nn.Linear):
            expected = 1 / math.sqrt(den.n_features)
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)
            assert not layer.bias.any()
        if isinstance(layer, nn.BatchNorm1d):
            assert layer.eps == 2e-5
        if isinstance(layer, nn.LeakyReLU):
            assert layer.negative_slope == 0.2


# --- The losses


def trained(make_updater: Make, architecture: str) -> Any:
    """An updater in double precision whose running statistics are no longer 0 and 1."""
    settings = {"architecture": architecture, "adam_alpha": 1e-3, "width": 0.05}
    updater = make_updater("dfm", dtype=torch.float64, **settings)
    for _ in range(3):
        updater.update()
    return updater


def denoise(den: Any, h: np.ndarray) -> np.ndarray:
    """r(h) by the formulas, with the running statistics."""
    state = {name: t.detach().numpy() for name, t in den.state_dict().items()}
    depth = len(den.layers)
    for k in range(depth - 1):
        at = f"layers.{k}"
        h = h @ state[f"{at}.0.weight"].T + state[f"{at}.0.bias"]
        spread = np.sqrt(state[f"{at}.1.running_var"] + 2e-5)
        h = (h - state[f"{at}.1.running_mean"]) / spread
        h = h * state[f"{at}.1.weight"] + state[f"{at}.1.bias"]
        h = np.where(h > 0, h, 0.2 * h)
    result: np.ndarray = (
        h @ state[f"layers.{depth - 1}.weight"].T + state[f"layers.{depth - 1}.bias"]
    )
    return result


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_feature_matching_term(architecture: str, make_updater: Make) -> None:
    """The mean over batch and features of (Phi - r(Phi))^2, r by its running statistics."""
    updater = trained(make_updater, architecture)
    z = updater.hidden(4)
    with evaluating(updater.den):
        loss_gen, loss_match = updater.loss_gen(updater.gen(z))
    features = updater.dis.features(updater.gen(z)).detach()
    difference = features.numpy() - denoise(updater.den, features.numpy())
    assert loss_match.item() == pytest.approx((difference**2).sum() / difference.size, rel=1e-9)
    logits = updater.dis.l4(features).detach().numpy()
    assert loss_gen.item() == pytest.approx(np.log1p(np.exp(-logits)).mean(), rel=1e-9)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_update_descends_three_losses_each_by_its_own_network(
    architecture: str, make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slope along a random direction, by finite differences of the formulas as written out
    here: all other networks, and the target of the matching term, stand still.
    """
    updater = trained(make_updater, architecture)
    seen: dict[str, Any] = {}
    for name in ("loss_den", "loss_gen", "loss_dis"):
        loss = getattr(updater, name)

        def note(*inputs: Tensor, loss: Any = loss, name: str = name) -> Any:
            seen[name] = (*inputs, deepcopy(updater.den))
            return loss(*inputs)

        monkeypatch.setattr(updater, name, note)
    steps: list[dict[str, Tensor]] = []
    monkeypatch.setattr(updater, "step", lambda **losses: steps.append(losses))
    latents: list[Tensor] = []
    hook = updater.gen.register_forward_pre_hook(lambda gen, inputs: latents.append(inputs[0]))
    updater.update()
    hook.remove()
    (z,) = latents
    (losses,) = steps
    assert list(losses) == ["den", "gen", "dis"]

    x_real, noise, _ = seen["loss_den"]
    x_fake, r = seen["loss_gen"]
    assert torch.equal(seen["loss_dis"][0], x_real)
    torch.testing.assert_close(x_fake, updater.gen(z))
    assert torch.equal(seen["loss_dis"][1], x_fake) and not seen["loss_dis"][1].requires_grad
    features = updater.dis.features(updater.gen(z)).detach()
    target = torch.from_numpy(denoise(r, features.numpy()))

    def loss_den() -> Tensor:
        h = updater.dis.features(x_real)
        return (updater.den(h + 1.0 * noise) - h).square().mean()

    def loss_gen() -> Tensor:
        h = updater.dis.features(updater.gen(z))
        adversarial = torch.log1p(torch.exp(-updater.dis.l4(h))).mean()
        return adversarial + 0.03 * (h - target).square().mean()

    def loss_dis() -> Tensor:
        real, fake = updater.dis(x_real), updater.dis(updater.gen(z))
        return (torch.log1p(torch.exp(-real)) + torch.log1p(torch.exp(fake))).mean()

    gradients = {
        name: torch.autograd.grad(loss, parameters_of(updater.optimizer[name]), retain_graph=True)
        for name, loss in losses.items()
    }
    for name, formula in {"den": loss_den, "gen": loss_gen, "dis": loss_dis}.items():
        parameters, gradient = parameters_of(updater.optimizer[name]), gradients[name]
        torch.manual_seed(1)
        direction = [torch.randn_like(p) for p in parameters]
        slope = sum((g * d).sum() for g, d in zip(gradient, direction, strict=True))
        values = []
        with torch.no_grad():
            for side in (1e-8, -2e-8):
                for p, d in zip(parameters, direction, strict=True):
                    p.add_(side * d)
                values.append(formula())
            for p, d in zip(parameters, direction, strict=True):
                p.add_(1e-8 * d)
        measured = (values[0] - values[1]) / 2e-8
        assert float(slope) == pytest.approx(float(measured), rel=1e-3, abs=1e-7), name


# --- The denoiser's world


def test_the_denoiser_learns_from_real_features_alone(make_updater: Make) -> None:
    """Other fakes: the same denoiser, its running statistics too, and another discriminator."""
    a, b = make_updater("dfm"), make_updater("dfm")
    with torch.no_grad():
        for p in b.gen.parameters():
            p.mul_(2)
    a.update()
    b.update()
    state = b.den.state_dict()
    assert all(torch.equal(t, state[name]) for name, t in a.den.state_dict().items())
    assert not torch.equal(a.dis.features[0].weight, b.dis.features[0].weight)
    assert a.den.training


def test_the_running_statistics_are_of_noisy_real_features(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("dfm", dtype=torch.float64, sigma=2.5)
    den, dis = deepcopy(updater.den), deepcopy(updater.dis)
    seen: list[tuple[Tensor, Tensor]] = []
    loss_den = updater.loss_den

    def watch(x_real: Tensor, noise: Tensor) -> Tensor:
        seen.append((x_real, noise))
        return loss_den(x_real, noise)

    monkeypatch.setattr(updater, "loss_den", watch)
    updater.update()
    ((x_real, noise),) = seen
    h = den.layers[0][0](dis.features(x_real) + 2.5 * noise).detach()
    norm = updater.den.layers[0][1]
    torch.testing.assert_close(norm.running_mean, 0.1 * h.mean(0))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * h.var(0))


def test_the_noise_is_standard_normal(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    updater = make_updater("dfm", width=0.25, batch_size=16)
    seen: list[Tensor] = []
    loss_den = updater.loss_den

    def watch(x_real: Tensor, noise: Tensor) -> Tensor:
        seen.append(noise)
        return loss_den(x_real, noise)

    monkeypatch.setattr(updater, "loss_den", watch)
    for _ in range(3):
        updater.update()
    assert all(noise.shape == (16, updater.den.n_features) for noise in seen)
    assert not torch.equal(seen[0], seen[1])
    every = torch.cat(seen)
    error = every.numel() ** -0.5
    assert abs(every.mean().item()) < 4 * error
    assert abs(every.var().item() - 1) < 4 * math.sqrt(2) * error
    fourth = (every**4).mean().item()
    assert abs(fourth - 3) < 4 * math.sqrt(96) * error  # E n^4 = 3, var n^4 = 105 - 9
    assert abs((every[:, 1:] * every[:, :-1]).mean().item()) < 4 * error


def test_without_lam_the_denoiser_does_not_matter(make_updater: Make) -> None:
    """And with it, it does: by the first update of the generator."""
    for lam, same in ((0.0, True), (10.0, False)):
        a, b = make_updater("dfm", lam=lam), make_updater("dfm", lam=lam)
        with torch.no_grad():
            for p in b.den.parameters():
                p.mul_(1.5)
        a.update()
        b.update()
        pairs = zip(a.gen.parameters(), b.gen.parameters(), strict=True)
        assert all(torch.equal(p, q) for p, q in pairs) == same
