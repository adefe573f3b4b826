"""R3GAN: its networks by the paper's numbers, its losses and schedules against formulas by hand."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib.common.augment import DRAWS
from ganlib.common.data import DataSet, DataSpec
from ganlib.r3gan.net import SMALL, Block, R3Discriminator, build
from ganlib.r3gan.updater import PIPE, Config, unmoved

Make = Callable[..., Any]


@dataclass(frozen=True)
class Net:
    architecture: str
    width: float = 1.0
    labels: bool = False


def networks(
    architecture: str, image: tuple[int, int, int], width: float = 1.0, n_classes: int = 0
) -> list[Any]:
    """Told of labels if there are classes."""
    torch.manual_seed(0)
    net = Net(architecture, width, n_classes > 0)
    made = build(net, DataSpec(image, image, n_classes=n_classes))
    assert list(made) == ["gen", "dis"]
    return list(made.values())


def counts(nets: list[nn.Module]) -> list[int]:
    return [sum(p.numel() for p in net.parameters()) for net in nets]


# --- Networks


@pytest.mark.parametrize(
    ("architecture", "side", "expected"),
    [
        ("cifar10", 32, [20_732_160, 20_683_776]),
        ("ffhq64", 64, [22_429_824, 22_381_440]),
        ("ffhq256", 256, [23_057_952, 23_009_568]),
        ("small", 32, [1_685_184, 1_669_056]),
    ],
)
def test_parameter_counts(architecture: str, side: int, expected: list[int]) -> None:
    with torch.device("meta"):
        gen, dis = networks(architecture, (3, side, side))
        images = gen(gen.make_hidden(2))
        assert images.shape == (2, 3, side, side) and dis(images).shape == (2, 1)
    assert counts([gen, dis]) == expected
    assert (gen.n_hidden, gen.latent) == (64, "normal")


def test_parameter_counts_with_labels() -> None:
    """G: 10 vectors of 64, and 64 more to l0; D: 10 vectors of 768, and 768 outputs for one."""
    with torch.device("meta"):
        gen, dis = networks("cifar10", (3, 32, 32), n_classes=10)
        y = torch.arange(2)
        images = gen(gen.make_hidden(2), y)
        assert images.shape == (2, 3, 32, 32) and dis(images, y).shape == (2, 1)
    assert counts([gen, dis]) == [20_781_952, 21_280_512]
    assert 20_781_952 - 20_732_160 == 10 * 64 + 64 * 768
    assert 21_280_512 - 20_683_776 == 10 * 768 + 768 * 768 - 768
    assert gen.n_hidden == 64


@pytest.mark.parametrize("architecture", build.builds)
def test_labels_by_hand(architecture: str) -> None:
    gen, dis = networks(architecture, (1, 64, 64), width=0.05, n_classes=4)
    z, y = gen.make_hidden(3), torch.tensor([3, 0, 3])
    x = torch.randn(3, 1, 64, 64)
    e, v = gen.classes.weight, dis.classes.weight
    torch.testing.assert_close(gen(z, y), gen.gen(torch.cat((z, e[[3, 0, 3]]), 1)))
    h = dis.dis(x)
    expected = torch.stack([h[i] @ v[c] for i, c in enumerate(y.tolist())])
    torch.testing.assert_close(dis(x, y), expected[:, None])
    parts = F.one_hot(y, 4).float()
    torch.testing.assert_close(gen(z, parts), gen(z, y))
    torch.testing.assert_close(dis(x, parts), dis(x, y))


def test_vectors_of_classes_start_as_the_authors_do() -> None:
    """Linear layers of one-hot vectors, of as many inputs as there are classes."""
    gen, dis = networks("cifar10", (3, 32, 32), width=0.5, n_classes=100)
    assert gen.classes.weight.std().item() == pytest.approx(0.1, rel=0.05)
    assert dis.classes.weight.std().item() == pytest.approx(0.1 * 384**-0.5, rel=0.05)


def test_the_counts_by_hand() -> None:
    """Twice a 1x1 of 768 to 1536 channels, a 3x3 in 96 groups of 16, two rows of biases."""
    block = 2 * 768 * 1536 + 1536 * 16 * 9 + 2 * 1536
    gen = 768 * 4 * 4 + 64 * 768 + 8 * block + 768 * 3
    dis = 3 * 768 + 8 * block + 768 * 4 * 4 + 768
    assert (gen, dis) == (20_732_160, 20_683_776)
    with torch.device("meta"):
        blocks = [m for m in networks("cifar10", (3, 32, 32))[0].modules() if isinstance(m, Block)]
    assert len(blocks) == 8
    assert all(b.c2.groups == 96 and counts([b]) == [block] for b in blocks)


@pytest.mark.parametrize("architecture", build.builds)
@pytest.mark.parametrize("image", [(1, 64, 64), (3, 128, 64)])
def test_other_images_and_the_smallest_width(
    architecture: str, image: tuple[int, int, int]
) -> None:
    gen, dis = networks(architecture, image, width=0.05 if architecture == "mlp" else 1e-6)
    x = gen(gen.make_hidden(2))
    assert x.shape == (2, *image) and x.std() > 0 and dis(x).shape == (2, 1)


def test_nothing_is_normalised_and_only_activations_have_biases() -> None:
    for net in networks("cifar10", (3, 32, 32), width=0.05):
        kinds = {type(m).__name__ for m in net.modules()}
        assert not any("Norm" in kind or "Tanh" in kind for kind in kinds)
        layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        assert layers and all(m.bias is None for m in layers)
    gen, _ = networks("small", (3, 32, 32), width=0.25)
    assert (gen(10 * gen.make_hidden(8)).abs() > 1).any()


def test_the_start_is_that_of_the_authors() -> None:
    gen, dis = networks("cifar10", (3, 32, 32), width=0.5)
    for net in (gen, dis):
        blocks = [m for m in net.modules() if isinstance(m, Block)]
        for b in blocks:
            assert not b.c3.weight.any()
            for layer, fan_in in [(b.c1, 384), (b.c2, 16 * 9)]:
                std = math.sqrt(2 / 1.04 / fan_in) * 8**-0.25
                assert layer.weight.std().item() == pytest.approx(std, rel=0.02)
            x = torch.randn(1, 384, 4, 4)
            assert torch.equal(b(x), x)
        assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))
    assert gen.basis.std().item() == pytest.approx(1, rel=0.05)
    assert gen.l0.weight.std().item() == pytest.approx(64**-0.5, rel=0.05)
    assert dis.l1.weight.std().item() == pytest.approx(384**-0.5, rel=0.1)
    assert gen.layers[-1].weight.std().item() == pytest.approx(384**-0.5, rel=0.1)
    assert dis.features[0].weight.std().item() == pytest.approx(3**-0.5, rel=0.1)


def test_a_block_is_its_formula() -> None:
    torch.manual_seed(0)
    block = Block(8, SMALL)
    for p in block.parameters():
        nn.init.normal_(p)
    x = torch.randn(1, 8, 3, 3)
    w1, w2, w3 = (c.weight.detach().numpy() for c in (block.c1, block.c2, block.c3))
    b1, b2 = (b.bias.detach().numpy() for b in (block.b1, block.b2))

    def leaky(h: np.ndarray) -> np.ndarray:
        return np.where(h > 0, h, 0.2 * h)

    h = leaky(np.einsum("oc,chw->ohw", w1[:, :, 0, 0], x[0].numpy()) + b1)
    padded = np.pad(h, ((0, 0), (1, 1), (1, 1)))
    h = np.zeros((16, 3, 3))
    for o, i, j in np.ndindex(16, 3, 3):  # one group of 16 channels
        h[o, i, j] = (w2[o] * padded[:, i : i + 3, j : j + 3]).sum()
    y = x[0].numpy() + np.einsum("oc,chw->ohw", w3[:, :, 0, 0], leaky(h + b2))
    np.testing.assert_allclose(block(x)[0].detach().numpy(), y, rtol=1e-4, atol=1e-4)


# --- Losses


class Quadratic(nn.Module):
    """D(x) = x^T A x + b^T x, whose slope is (A + A^T) x + b."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(n, n)), nn.Parameter(torch.randn(n))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        h = x.flatten(1)
        return (((h @ self.a) * h).sum(1) + h @ self.b)[:, None]


def test_loss_dis_is_the_formula(make_updater: Make) -> None:
    updater = make_updater("r3gan", dtype=torch.float64, aug_p_final=0.0)
    torch.manual_seed(0)
    updater.dis = Quadratic(16).double()
    x, fake = 0.2 * torch.randn(2, 3, 1, 4, 4, dtype=torch.float64)
    none = torch.empty(3, 0, DRAWS)
    loss, r1, r2 = updater.loss_dis(x, fake, none, none, torch.tensor(0.0))
    a, b = updater.dis.a.detach().numpy(), updater.dis.b.detach().numpy()
    real, gone = x.reshape(3, 16).numpy(), fake.reshape(3, 16).numpy()
    logits = [np.array([v @ a @ v + b @ v for v in rows]) for rows in (real, gone)]
    slopes = [rows @ (a + a.T) + b for rows in (real, gone)]
    assert loss.item() == pytest.approx(np.logaddexp(0, logits[1] - logits[0]).mean())
    assert r1.item() == pytest.approx((slopes[0] ** 2).sum(1).mean())
    assert r2.item() == pytest.approx((slopes[1] ** 2).sum(1).mean())
    # each real with the fake of its own number, not with all
    swapped, _, _ = updater.loss_dis(x, fake.flip(0), none, none, torch.tensor(0.0))
    assert swapped.item() == pytest.approx(np.logaddexp(0, logits[1][::-1] - logits[0]).mean())
    assert swapped.item() != pytest.approx(loss.item())


def test_loss_gen_is_the_formula(make_updater: Make) -> None:
    updater = make_updater("r3gan", dtype=torch.float64, aug_p_final=0.0)
    x, z = torch.rand(3, 1, 32, 32, dtype=torch.float64), updater.hidden(3)
    none = torch.empty(3, 0, DRAWS)
    loss = updater.loss_gen(z, x, none, none, torch.tensor(0.0))
    with torch.no_grad():
        margin = (updater.dis(updater.gen(z)) - updater.dis(x)).numpy()
    assert loss.item() == pytest.approx(np.log1p(np.exp(-margin)).mean())
    gradients = torch.autograd.grad(loss, list(updater.gen.parameters()))
    assert any(g.any() for g in gradients)


def test_the_slope_is_taken_before_the_augmentation(make_updater: Make) -> None:
    updater = make_updater("r3gan", dtype=torch.float64)
    x, fake = torch.rand(2, 3, 1, 32, 32, dtype=torch.float64)
    u, v, p = updater.draws(3), updater.draws(3), torch.tensor(0.8)
    loss, r1, r2 = updater.loss_dis(x, fake, u, v, p)

    def by_autograd(x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        x = x.clone().requires_grad_()
        y = updater.dis(updater.augment(x, u, p))
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return slope.pow(2).sum((1, 2, 3)).mean(), y

    (s1, y_real), (s2, y_fake) = by_autograd(x, u), by_autograd(fake, v)
    wanted = F.softplus(y_fake - y_real).mean() + s1 + s2
    parameters = list(updater.dis.parameters())
    torch.testing.assert_close(loss + r1 + r2, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(loss + r1 + r2, parameters), torch.autograd.grad(wanted, parameters)
    )


def test_an_iteration_draws_two_real_batches_and_descends_half_gamma(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("r3gan", gamma=3.0)
    steps: list[dict[str, float]] = []
    step = updater.step

    def watch(**losses: Tensor) -> None:
        steps.append({name: loss.item() for name, loss in losses.items()})
        step(**losses)

    monkeypatch.setattr(updater, "step", watch)
    seen = updater.update()
    assert updater.images == 2 * updater.config.batch_size
    assert [list(s) for s in steps] == [["dis"], ["gen"]]
    total = seen["loss_dis"] + 1.5 * (seen["r1"] + seen["r2"])
    assert steps[0]["dis"] == pytest.approx(total.item())
    assert steps[1]["gen"] == seen["loss_gen"].item()


def test_a_fake_has_the_label_of_the_real_it_is_paired_with(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater = make_updater("r3gan", labels=True, aug_p_final=0.0)
    assert (updater.config.condition, make_updater("r3gan").config.condition) == ("labels", None)
    batches: list[Tensor] = []
    original = type(updater.data).__next__

    def note(loader: Any) -> Any:
        batch = original(loader)
        batches.append(batch.y)
        return batch

    monkeypatch.setattr(type(updater.data), "__next__", note)
    told: dict[str, list[Tensor]] = {"gen": [], "dis": []}
    for name, labels in told.items():
        getattr(updater, name).register_forward_pre_hook(
            lambda _, inputs, labels=labels: labels.append(inputs[1])
        )
    updater.update()
    first, second = batches
    assert not torch.equal(first, second)
    expected = {"gen": [first, second], "dis": [first, first, second, second]}
    for name, wanted in expected.items():
        assert len(told[name]) == len(wanted)
        assert all(torch.equal(a, b) for a, b in zip(told[name], wanted, strict=True))


def test_with_labels_the_losses_are_those_of_the_pairs(make_updater: Make) -> None:
    updater = make_updater("r3gan", dtype=torch.float64, aug_p_final=0.0, labels=True)
    x, fake = torch.rand(2, 3, 1, 32, 32, dtype=torch.float64)
    y, z, none = torch.tensor([2, 0, 1]), updater.hidden(3), torch.empty(3, 0, DRAWS)
    loss, r1, r2 = updater.loss_dis(x, fake, none, none, torch.tensor(0.0), y)
    a, b = x.clone().requires_grad_(), fake.clone().requires_grad_()
    d_real, d_fake = updater.dis(a, y), updater.dis(b, y)
    slopes = torch.autograd.grad(d_real.sum() + d_fake.sum(), (a, b))
    torch.testing.assert_close(loss, F.softplus(d_fake - d_real).mean())
    for found, slope in zip((r1, r2), slopes, strict=True):
        torch.testing.assert_close(found, slope.square().sum((1, 2, 3)).mean())
    loss = updater.loss_gen(z, x, none, none, torch.tensor(0.0), y)
    margin = updater.dis(x, y) - updater.dis(updater.gen(z, y), y)
    torch.testing.assert_close(loss, F.softplus(margin).mean())


@pytest.mark.parametrize("architecture", ["small", "mlp"])
def test_with_labels_every_other_parameter_moves(make_updater: Make, architecture: str) -> None:
    updater = make_updater("r3gan", labels=True, architecture=architecture, width=0.25)
    before = {name: p.detach().clone() for name, p in updater.named_parameters()}
    for _ in range(2):
        updater.update()
    now = dict(updater.named_parameters())
    still = {name for name, p in before.items() if torch.equal(p, now[name])}
    assert still - {n for n in still if n.startswith("average.")} == set(unmoved(updater.config))


# --- Augmentation and schedules


def test_the_pipe_is_used_with_probability_p(make_updater: Make) -> None:
    updater = make_updater("r3gan", 3, 32)
    x = torch.rand(400, 3, 32, 32)
    u = updater.draws(400)
    assert u.shape == (400, len(PIPE), DRAWS)
    assert torch.equal(updater.augment(x, u, torch.tensor(0.0)), x)
    changed = (updater.augment(x, u, torch.tensor(0.3)) != x).flatten(1).any(1).float().mean()
    # a flip happens half of the times, a translation stays where it is in 1 of 81
    assert changed.item() == pytest.approx(1 - 0.85 * (1 - 0.3 * 80 / 81) * 0.7**4, abs=0.06)


def test_points_are_not_augmented(make_updater: Make) -> None:
    points = DataSet("points", torch.randint(256, (64, 2, 1, 1)).to(torch.uint8))
    updater = make_updater("r3gan", data=points, architecture="mlp", aug_p=0.9)
    assert updater.pipe == ()
    updater.update()
    updater.check_finite()


def test_schedules(make_updater: Make) -> None:
    c = {"batch_size": 4, "decay_images": 400, "adam_alpha": 2e-4, "adam_alpha_final": 5e-5}
    updater = make_updater("r3gan", **c, adam_beta2=0.9, adam_beta2_final=0.99)
    for iteration, part in [(0, 1.0), (25, 0.5 + 0.5**1.5), (50, 0.5), (100, 0.0), (1000, 0.0)]:
        now = updater.schedule(iteration)
        assert now["lr"] * 2e-4 == pytest.approx(5e-5 + 1.5e-4 * part)
        assert now["gamma"] == pytest.approx(0.005 + 0.045 * part)
        assert now["aug_p"] == pytest.approx(0.55 * (1 - part))
        assert updater.phase(iteration) == pytest.approx(0.99 - 0.09 * part)
    assert len({updater.phase(i) for i in range(2000)}) == 33
    rising = [updater.phase(i) for i in range(200)]
    assert rising == sorted(rising)


def test_the_optimizers_follow_the_schedules(make_updater: Make) -> None:
    updater = make_updater("r3gan", batch_size=4, decay_images=8)
    found = []
    for _ in range(4):
        updater.update()
        group = updater.optimizer["dis"].param_groups[0]
        found.append((float(group["lr"]), group["betas"]))
    wanted = [(2e-4, 0.9), (1.25e-4, 0.945), (5e-5, 0.99), (5e-5, 0.99)]
    for (lr, betas), (right_lr, right_beta2) in zip(found, wanted, strict=True):
        assert lr == pytest.approx(right_lr) and betas == (0.0, pytest.approx(right_beta2))


def test_a_run_resumed_in_the_middle_of_the_schedules(make_updater: Make) -> None:
    settings = {"decay_images": 16, "ema_decay": 0.9}
    straight, second = make_updater("r3gan", **settings), make_updater("r3gan", **settings)
    for _ in range(2):
        straight.update()
    second.load_state(deepcopy(straight.state()))
    for _ in range(3):
        a, b = straight.update(), second.update()
        assert {k: v.item() for k, v in a.items()} == {k: v.item() for k, v in b.items()}


def test_sizes_of_images() -> None:
    assert Config().image_size(28, 28) == (32, 32)
    assert Config(architecture="ffhq64").image_size(28, 28) == (64, 64)
    assert Config(architecture="ffhq256").image_size(300, 300) == (256, 256)


def test_the_discriminator_is_the_generators_mirror_image() -> None:
    gen, dis = networks("ffhq64", (3, 64, 64), width=0.02)
    assert isinstance(dis, R3Discriminator)
    shapes: list[list[tuple[int, ...]]] = [[], []]
    for net, found in zip((gen, dis), shapes, strict=True):
        for m in net.modules():
            if isinstance(m, Block):
                m.register_forward_hook(lambda m, _, out, found=found: found.append(out.shape[1:]))
    dis(gen(gen.make_hidden(1)))
    assert shapes[0] == shapes[1][::-1]
    assert [s[1] for s in shapes[0]] == [4, 4, 8, 8, 16, 16, 32, 32, 64, 64]
