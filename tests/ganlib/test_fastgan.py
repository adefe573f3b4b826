"""FastGAN: its networks by the authors' numbers, an iteration by hand."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from parameters import count
from torch import Tensor, nn

from ganlib.common.data import DataSpec, Shape
from ganlib.common.layers.spectral_norm import SNConvTranspose2d
from ganlib.fastgan.net import Skip, fewer, quarter
from ganlib.registry import algorithms

Make = Callable[..., Any]


def networks(image: Shape, **settings: Any) -> list[Any]:
    algorithm = algorithms["fastgan"]
    return list(algorithm.build(algorithm.config(**settings), DataSpec(image, image)).values())


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (256, [29_127_846, 11_526_160]),
        (512, [29_174_392, 11_526_496]),
        (1024, [29_176_512, 11_528_192]),
    ],
)
def test_parameter_counts(side: int, expected: list[int]) -> None:
    with torch.device("meta"):
        gen, dis = networks((3, side, side))
    assert [count(gen), count(dis)] == expected
    assert sum(p.numel() for d in dis.decoders for p in d.parameters()) == 1_439_712 + 2 * 849_888


def test_shapes() -> None:
    with torch.device("meta"):
        gen, dis = networks((3, 512, 512), width=0.1)
        x, small = gen.pair(gen.make_hidden(2))
        y, drawn, seen = dis.autoencode(x, torch.zeros(2, dtype=torch.int64))
    assert x.shape == (2, 3, 512, 512) and small.shape == (2, 3, 128, 128)
    assert y.shape == (2, 50) and drawn.shape == seen.shape == (2, 3, 3, 128, 128)


def test_which_maps_weight_which() -> None:
    with torch.device("meta"):
        gen, dis = networks((3, 1024, 1024))
        small, judge = networks((1, 32, 32), architecture="quick")
    assert list(gen.skips) == ["64", "128", "256", "512"] and gen.reach == 16
    assert list(dis.skips) == ["32", "16", "8"] and dis.reach == 8
    assert list(small.skips) == ["32"] and list(judge.skips) == ["8"]
    strengths = [n for n, p in gen.named_parameters() if n.endswith("strength")]
    assert {n.split(".")[1] for n in strengths} == {"8", "32", "128", "512"}
    assert len(strengths) == 8


@pytest.mark.parametrize("image", [(1, 48, 48), (3, 64, 32), (3, 16, 16), (1, 1, 1)])
def test_images_of_other_sides_are_refused(image: Shape) -> None:
    with pytest.raises(ValueError, match="images are not of"):
        networks(image)


def test_images_come_to_powers_of_two() -> None:
    config = algorithms["fastgan"].config()
    sizes = [(1, 1), (8, 8), (28, 28), (64, 64), (200, 257)]
    found = [config.image_size(*size)[0] for size in sizes]
    assert found == [1, 32, 32, 64, 512]


def test_a_skip_weights_whole_channels() -> None:
    torch.manual_seed(0)
    skip: Any = Skip(2, 3).double()
    h, by = torch.randn(2, 3, 16, 16).double(), torch.randn(2, 2, 8, 8).double()
    skip.eval()  # in which no pass moves u
    first, last = (layer.effective_weight() for layer in (skip.layers[0], skip.layers[2]))
    for n in range(2):
        means = torch.stack([c.unfold(0, 2, 2).unfold(1, 2, 2).mean((2, 3)) for c in by[n]])
        middle = torch.stack([(w * means).sum() for w in first])
        middle = middle * middle.sigmoid()
        weights = (last[:, :, 0, 0] @ middle).sigmoid()
        torch.testing.assert_close(skip(h, by)[n], weights[:, None, None] * h[n])


def test_quarters_and_fewer_pixels() -> None:
    x = torch.arange(2 * 8 * 8.0).view(2, 1, 8, 8)
    corners = [(slice(0, 4), slice(0, 4)), (slice(0, 4), slice(4, 8))]
    corners += [(slice(4, 8), slice(0, 4)), (slice(4, 8), slice(4, 8))]
    for k, (rows, columns) in enumerate(corners):
        parts = quarter(x, torch.tensor([k, 3 - k]))
        assert torch.equal(parts[0], x[0, :, rows, columns])
        assert torch.equal(parts[1], x[1][:, corners[3 - k][0], corners[3 - k][1]])
    assert torch.equal(fewer(x, 4), nn.functional.interpolate(x, 4))


def test_a_transposed_convolution_is_normalised_by_its_outputs() -> None:
    torch.manual_seed(0)
    ours = SNConvTranspose2d(5, 3, 4, bias=False)
    theirs = torch.nn.utils.parametrizations.spectral_norm(
        nn.ConvTranspose2d(5, 3, 4, bias=False), n_power_iterations=200
    )
    theirs.parametrizations.weight.original.data.copy_(ours.weight)
    z = torch.randn(2, 5, 1, 1)
    for _ in range(200):
        found = ours(z)
    torch.testing.assert_close(found, theirs(z))
    torch.testing.assert_close(
        torch.linalg.matrix_norm(ours.effective_weight().transpose(0, 1).flatten(1), 2),
        torch.tensor(1.0),
    )


def by_hand(gen: Any, dis: Any, x: Tensor, draws: list[Tensor], lam: float) -> list[list[Tensor]]:
    """The gradients of D, then of G, of an iteration whose numbers are drawn already; D's weights
    have moved in between.
    """
    u, margins, z = draws
    fake, small = gen.pair(z)
    n, side = len(x), x.shape[-1]
    which = [int(4 * v) for v in u]
    y, drawn, _ = dis.autoencode(x, torch.tensor(which))
    judged = dis(fake.detach(), small.detach())
    loss = torch.zeros((), dtype=x.dtype)
    for i in range(n):
        for k in range(50):
            loss = loss + (0.8 + 0.2 * margins[i, 0, k] - y[i, k]).clamp(min=0) / (50 * n)
            loss = loss + (0.8 + 0.2 * margins[i, 1, k] + judged[i, k]).clamp(min=0) / (50 * n)
        half = side // 2
        top, left = half * (which[i] // 2), half * (which[i] % 2)
        whole, part = x[i, :, ::2, ::2], x[i, :, top : top + half, left : left + half]
        for picture, wanted in zip(drawn[i], (whole, whole, part), strict=True):
            loss = loss + lam * (picture - wanted).pow(2).sum() / (wanted.numel() * n)
    gradients = torch.autograd.grad(loss, list(dis.parameters()))
    with torch.no_grad():
        for p, g in zip(dis.parameters(), gradients, strict=True):
            p -= 2e-4 * g / (g.abs() + 1e-8)  # Adam's first step
    loss_gen = -dis(fake, small).sum() / (50 * n)
    return [list(gradients), list(torch.autograd.grad(loss_gen, list(gen.parameters())))]


def test_an_iteration_by_hand(make_updater: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64, by loops over logits and pictures."""
    updater = make_updater("fastgan", 3, 32, dtype=torch.float64, diffaugment=(), lam=3.0)
    x = next(deepcopy(updater.data)).x
    draws: list[Tensor] = []
    for name in ("uniform", "hidden"):
        original = getattr(updater, name)

        def note(*args: int, original: Any = original) -> Tensor:
            draws.append(original(*args))
            return draws[-1]

        monkeypatch.setattr(updater, name, note)
    noise = lambda x: torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view_as(x)  # noqa: E731
    monkeypatch.setattr(torch, "randn_like", noise)
    gen, dis = deepcopy(updater.gen), deepcopy(updater.dis)
    for module in gen.modules():
        if hasattr(module, "strength"):
            module.strength.data.fill_(0.3)
    updater.gen.load_state_dict(gen.state_dict())
    start = [p.clone() for p in gen.parameters()]
    updater.update()
    of_dis, of_gen = by_hand(gen, dis, x, draws, 3.0)
    assert all(g.abs().max() > 1e-12 for g in (*of_dis, *of_gen))
    torch.testing.assert_close(list(updater.dis.parameters()), list(dis.parameters()))
    moved = [p - 2e-4 * g / (g.abs() + 1e-8) for p, g in zip(start, of_gen, strict=True)]
    torch.testing.assert_close(list(updater.gen.parameters()), moved)
    assert all(
        torch.equal(a, b) or torch.allclose(a, b)
        for a, b in zip(updater.dis.buffers(), dis.buffers(), strict=True)
    )


def test_both_fakes_are_augmented_each_by_itself(make_updater: Make) -> None:
    updater = make_updater("fastgan", 3, 64, diffaugment=("color",))
    x, small = torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 32, 32)
    torch.manual_seed(0)
    seen, seen_small = updater.dis.features(x), updater.dis.features(small)
    assert not torch.equal(seen[:, :, 0, 0], seen_small[:, :, 0, 0]) and seen.any()
    _, _, targets = updater.dis.autoencode(x, torch.tensor([0, 1]))
    assert targets.any()  # D draws what it has seen
    assert torch.equal(updater.dis.eval().features(x), x)
