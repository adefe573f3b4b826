"""The study's methods beside its arithmetic, written out: networks, losses, Adam, order of steps.

The formulas are those of compare_gan v1.0, where TensorFlow computes them.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ganlib.common.data import DataSpec
from ganlib.registry import algorithms

Params = dict[str, Tensor]
Make = Callable[..., Any]
COUNTS = {
    (1, 28, 28): (6_642_241, 6_559_169, 1_086_401),
    (3, 32, 32): (8_616_131, 8_527_297, 1_342_019),
    (3, 64, 64): (33_855_683, 33_693_121, 4_561_475),
}


@pytest.mark.parametrize("image", COUNTS)
def test_networks_have_the_studys_numbers_of_parameters(image: tuple[int, int, int]) -> None:
    def count(name: str) -> dict[str, int]:
        algorithm = algorithms[name]
        with torch.device("meta"):
            networks = algorithm.build(algorithm.config(dis_bn=True), DataSpec(image, image))
        return {k: sum(p.numel() for p in net.parameters()) for k, net in networks.items()}

    gen, dis, autoencoder = COUNTS[image]
    assert count("lucic_ns") == {"gen": gen, "dis": dis}
    assert count("lucic_began") == {"gen": gen, "dis": autoencoder}
    assert count("lucic_vae") == {"gen": gen, "enc": dis + 127 * 1025}


def test_batch_norm_averages_the_plain_variance(make_updater: Make) -> None:
    """TensorFlow's, by the numbers: decay 0.999, and the variance has n below the line, not n - 1;
    what stands for two passes moves by both.
    """
    norm = make_updater("lucic_ns", dtype=torch.float64).gen.layers[1]
    x = torch.tensor([0.0, 3.0, 6.0, 9.0]).double()[:, None].expand(-1, len(norm.weight))
    for passes, decay in ((1, 0.999), (2, 0.999**3)):
        norm.passes = passes
        norm(x)
        assert norm.running_mean.tolist() == pytest.approx([4.5 * (1 - decay)] * x.shape[1])
        assert norm.running_var.tolist() == pytest.approx(
            [decay + 11.25 * (1 - decay)] * x.shape[1]
        )


class Reference:
    """Two networks as lists of numbers, Adam's moments, and the study's training step."""

    def __init__(self, updater: Any) -> None:
        self.c = updater.config
        self.name = ""
        self.nets: dict[str, Params] = {
            name: {k: v.detach().clone() for k, v in net.named_parameters()}
            for name, net in updater.trained.items()
        }
        self.moments = {
            name: {k: (torch.zeros_like(v), torch.zeros_like(v)) for k, v in net.items()}
            for name, net in self.nets.items()
        }
        self.times = dict.fromkeys(self.nets, 0)
        self.running: dict[int, tuple[Tensor, Tensor]] = {}
        self.k = 0.0

    def norm(self, net: Params, at: int, h: Tensor, *, keep: bool = False) -> Tensor:
        axes = [0, 2, 3][: h.dim() - 1]
        shape = (1, -1, 1, 1)[: h.dim()]
        mean = h.mean(axes)
        var = ((h - mean.reshape(shape)) ** 2).mean(axes)
        if keep:
            old = self.running.get(at, (torch.zeros_like(mean), torch.ones_like(var)))
            new = (mean.detach(), var.detach())
            self.running[at] = tuple(0.999 * o + 0.001 * n for o, n in zip(old, new, strict=True))
        gain, bias = net[f"layers.{at}.weight"], net[f"layers.{at}.bias"]
        h = (h - mean.reshape(shape)) / torch.sqrt(var + 1e-3).reshape(shape)
        return gain.reshape(shape) * h + bias.reshape(shape)

    def linear(self, net: Params, at: int, h: Tensor) -> Tensor:
        return h @ net[f"layers.{at}.weight"].T + net[f"layers.{at}.bias"]

    def conv(self, net: Params, at: int, h: Tensor, f: Any = F.conv2d) -> Tensor:
        return f(h, net[f"layers.{at}.weight"], net[f"layers.{at}.bias"], stride=2, padding=1)

    def gen(self, z: Tensor, act: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        net, act = self.nets["gen"], act or leaky
        h = act(self.norm(net, 1, self.linear(net, 0, z), keep=True))
        h = act(self.norm(net, 4, self.linear(net, 3, h), keep=True))
        h = h.reshape(len(z), -1, 7, 7)
        h = act(self.norm(net, 8, self.conv(net, 7, h, F.conv_transpose2d), keep=True))
        return 1 / (1 + torch.exp(-self.conv(net, 10, h, F.conv_transpose2d)))

    def dis(self, x: Tensor, name: str = "dis") -> Tensor:
        net, bn = self.nets[name], self.c.dis_bn
        h = self.conv(net, 2, leaky(self.conv(net, 0, x)))
        h = leaky(self.norm(net, 3, h) if bn else h).flatten(1)
        h = self.linear(net, 6, h)
        return self.linear(net, 9, leaky(self.norm(net, 7, h) if bn else h))

    def autoencoder(self, x: Tensor) -> Tensor:
        net = self.nets["dis"]
        h = self.conv(net, 2, leaky(self.conv(net, 0, x))).flatten(1)
        h = leaky(self.linear(net, 7, leaky(self.linear(net, 4, h)))).reshape(len(x), -1, 7, 7)
        h = leaky(self.conv(net, 11, h, F.conv_transpose2d))
        return 1 / (1 + torch.exp(-self.conv(net, 14, h, F.conv_transpose2d)))

    def step(self, names: list[str], loss: Callable[[], Tensor]) -> None:
        for name in names:
            for v in self.nets[name].values():
                v.requires_grad_()
        value = loss()
        every = [v for name in names for v in self.nets[name].values()]
        gradients = iter(torch.autograd.grad(value, every))
        for name in names:
            self.times[name] += 1
            t, c = self.times[name], self.c
            for k, v in self.nets[name].items():
                g, (m, s) = next(gradients), self.moments[name][k]
                m = c.adam_beta1 * m + (1 - c.adam_beta1) * g
                s = 0.999 * s + 0.001 * g**2
                self.moments[name][k] = m, s
                m, s = m / (1 - c.adam_beta1**t), s / (1 - 0.999**t)
                moved = v.detach() - c.adam_alpha * m / (s.sqrt() + 1e-8)
                self.nets[name][k] = moved

    def slopes(self, f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
        return ((torch.sqrt(0.0001 + (g**2).sum((1, 2, 3))) - 1) ** 2).mean()


def leaky(h: Tensor) -> Tensor:
    return torch.maximum(h, 0.2 * h)


def prob(y: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-y))


def loss_dis(r: Reference, x: Tensor, v: Tensor, draws: list[Tensor]) -> Tensor:
    if r.name == "lucic_began":
        error, fake = (r.autoencoder(x) - x).abs().mean(), (r.autoencoder(v) - v).abs().mean()
        return error - r.k * fake
    real, fake = r.dis(x), r.dis(v)
    if r.name == "lucic_lsgan":
        return 0.5 * (((prob(real) - 1) ** 2).mean() + (prob(fake) ** 2).mean())
    if r.name == "lucic_wgan":
        return -real.mean() + fake.mean()
    if r.name == "lucic_wgan_gp":
        between = x + draws[0] * (v - x)
        return -real.mean() + fake.mean() + r.c.lam * r.slopes(r.dis, between)
    entropy = -torch.log(prob(real)).mean() - torch.log(1 - prob(fake)).mean()
    if r.name == "lucic_dragan":
        noise, alpha = draws
        std = math.sqrt(float(((x - x.mean()) ** 2).mean()))
        perturbed = x + 0.5 * std * noise
        between = x + alpha * (perturbed - x)
        return entropy + r.c.lam * r.slopes(lambda x: prob(r.dis(x)), between)
    return entropy


def loss_gen(r: Reference, v: Tensor) -> Tensor:
    if r.name == "lucic_began":
        return (r.autoencoder(v) - v).abs().mean()
    y = r.dis(v)
    return {
        "lucic_mm": lambda: torch.log(1 - prob(y)).mean(),
        "lucic_lsgan": lambda: 0.5 * ((prob(y) - 1) ** 2).mean(),
        "lucic_wgan": lambda: -y.mean(),
        "lucic_wgan_gp": lambda: -y.mean(),
    }.get(r.name, lambda: -torch.log(prob(y)).mean())()


def train(r: Reference, i: int, x: Tensor, z: list[Tensor], draws: list[Tensor]) -> None:
    """The study's step: D, then G in steps 0, 1, n + 1, ...; each makes its samples itself."""
    r.step(["dis"], lambda: loss_dis(r, x, r.gen(z[0]).detach(), draws))
    if r.name == "lucic_wgan":
        net = r.nets["dis"]
        r.nets["dis"] = {k: v.clamp(-r.c.clip, r.c.clip) for k, v in net.items()}
    if i in (0, 1, 3, 5):
        r.step(["gen"], lambda: loss_gen(r, r.gen(z[1 if r.name == "lucic_wgan_gp" else 0])))
    if r.name == "lucic_began":
        v = r.gen(z[0])
        error, fake = (r.autoencoder(x) - x).abs().mean(), (r.autoencoder(v) - v).abs().mean()
        r.k += float(r.c.lambda_k * (r.c.gamma * error - fake))


def train_vae(r: Reference, x: Tensor, eps: Tensor) -> None:
    def loss() -> Tensor:
        mean, raw = r.dis(x, "enc").chunk(2, 1)
        sigma = 1e-6 + torch.log(1 + torch.exp(raw))
        out = r.gen(mean + sigma * eps, lambda h: torch.maximum(h, 0 * h))
        likelihood = (x * torch.log(out) + (1 - x) * torch.log(1 - out)).sum((2, 3))
        kl = 0.5 * (mean**2 + sigma**2 - torch.log(1e-8 + sigma**2) - 1).sum(1)
        return -likelihood.mean() + kl.mean()

    r.step(["gen", "enc"], loss)


METHODS = {
    "lucic_mm": {"disc_iters": 2},
    "lucic_ns": {"disc_iters": 2, "adam_beta1": 0.5},
    "lucic_lsgan": {"disc_iters": 2},
    "lucic_wgan": {"disc_iters": 2, "clip": 0.03},
    "lucic_wgan_gp": {"disc_iters": 2},
    "lucic_dragan": {"disc_iters": 2},
    "lucic_began": {"disc_iters": 2, "lambda_k": 0.5},
    "lucic_vae": {},
}


@pytest.mark.parametrize("name", METHODS)
def test_updates_are_the_studys(name: str, make_updater: Make) -> None:
    settings = {"dtype": torch.float64, "adam_alpha": 2**-7, **METHODS[name]}
    updater, twin = (make_updater(name, **settings) for _ in range(2))
    r = Reference(updater)
    r.name = name
    z: list[Tensor] = []
    draws: list[Tensor] = []
    for target, found in (("hidden", z), ("uniform", draws), ("normal", draws)):
        record(updater, target, found)

    for i in range(4):
        z.clear(), draws.clear()
        updater.update()
        x = (next(twin.data)[0] + 1) / 2
        train_vae(r, x, draws[0]) if name == "lucic_vae" else train(r, i, x, z, draws)

    for network, net in r.nets.items():
        for k, v in updater.get_submodule(network).named_parameters():
            torch.testing.assert_close(
                v.detach(),
                net[k],
                rtol=1e-6,
                atol=1e-7,
                msg=lambda m, k=f"{network}.{k}": f"{k}: {m}",
            )
    for at, (mean, var) in r.running.items():
        torch.testing.assert_close(updater.gen.layers[at].running_mean, mean)
        torch.testing.assert_close(updater.gen.layers[at].running_var, var)
    if name == "lucic_began":
        assert float(updater.kt) == pytest.approx(r.k) and r.k > 0.2


def record(updater: Any, name: str, found: list[Tensor]) -> None:
    draw = getattr(updater, name)
    setattr(updater, name, lambda *shape: found.append(draw(*shape)) or found[-1])
