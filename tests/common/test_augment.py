"""common/augment.py: every operation against NumPy, one pixel at a time, and augmented networks."""

import itertools
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganlib.common import augment as module
from ganlib.common.augment import DRAWS, POLICIES, Operation, augment, augment_input, flip
from ganlib.common.losses import gradient_penalty

SHAPE = (5, 3, 16, 24)
OPERATIONS = [operation for policy in POLICIES.values() for operation in policy] + [flip]


def inputs(n_operations: int = 1) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.rand(SHAPE, dtype=torch.float64) * 2 - 1
    return x, torch.rand(SHAPE[0], n_operations, DRAWS, dtype=torch.float64)


def expected(name: str, x: np.ndarray, u: np.ndarray) -> np.ndarray:
    """What the paper's operation makes of one image (C, H, W) and its two numbers."""
    channels, height, width = x.shape
    y = np.zeros_like(x)
    if name == "brightness":
        return x + u[0] - 0.5
    if name == "saturation":
        for i, j in np.ndindex(height, width):
            grey = sum(x[c, i, j] for c in range(channels)) / channels
            y[:, i, j] = grey + 2 * u[0] * (x[:, i, j] - grey)
        return y
    if name == "contrast":
        return x.mean() + (0.5 + u[0]) * (x - x.mean())
    if name == "flip":
        return x[:, :, ::-1] if u[0] < 0.5 else x
    offsets = np.floor(u[:2] * places(name, height, width)).astype(int)
    return OFFSET[name](x, *offsets)


def reach(side: int) -> int:
    return int(side * 0.125 + 0.5)


def half(side: int) -> int:
    return int(side * 0.5 + 0.5)


def places(name: str, *sides: int) -> list[int]:
    """How many integers are drawn from along each side, each as likely: 0, 1, ..."""
    if name == "translation":
        return [2 * reach(side) + 1 for side in sides]
    return [side + 1 - half(side) % 2 for side in sides]


def moved(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """x (C, H, W) moved by `down` - reach and `right` - reach pixels."""
    _, height, width = x.shape
    y = np.zeros_like(x)
    down, right = down - reach(height), right - reach(width)
    for i, j in np.ndindex(height, width):
        if 0 <= i - down < height and 0 <= j - right < width:
            y[:, i, j] = x[:, i - down, j - right]
    return y


def cut(x: np.ndarray, *centre: int) -> np.ndarray:
    """x (C, H, W) without a rectangle, whose rows and columns stay in the image at its ends."""
    rows, columns = (
        np.clip(np.arange(half(side)) + at - half(side) // 2, 0, side - 1)
        for side, at in zip(x.shape[1:], centre, strict=True)
    )
    y = x.copy()
    for i, j in itertools.product(rows, columns):
        y[:, i, j] = 0
    return y


OFFSET = {"translation": moved, "cutout": cut}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda f: f.__name__)
def test_operation(operation: Operation) -> None:
    x, u = inputs()
    y = operation(x, u[:, 0, :2])
    assert y.shape == x.shape and y.dtype == x.dtype
    for i in range(len(x)):
        wanted = expected(operation.__name__, x[i].numpy(), u[i, 0].numpy())
        np.testing.assert_allclose(y[i].numpy(), wanted, rtol=1e-12, atol=1e-12)
    assert not torch.equal(y, x)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda f: f.__name__)
def test_the_gradient_reaches_the_image(operation: Operation) -> None:
    x, u = torch.rand(2, 2, 8, 8, dtype=torch.float64), torch.rand(2, 2, dtype=torch.float64)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: operation(x, u), (x,))
    assert torch.autograd.gradgradcheck(lambda x: operation(x, u).pow(3), (x,))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_precision_stays(operation: Operation, dtype: torch.dtype) -> None:
    assert operation(torch.rand(2, 1, 8, 8).to(dtype), torch.rand(2, 2)).dtype == dtype


@pytest.mark.parametrize("name", OFFSET)
@pytest.mark.parametrize("sides", [(7, 8), (8, 15), (15, 28), (28, 32), (32, 7)])
def test_every_offset_at_even_and_odd_sides(name: str, sides: tuple[int, int]) -> None:
    """Each place is drawn by an equal part of [0, 1), of which both ends are tried."""
    rng = np.random.default_rng(0)
    image, (down, right) = rng.uniform(0.5, 1, (1, *sides)), places(name, *sides)
    offsets = list(itertools.product(range(down), range(right)))
    low = (torch.tensor(offsets, dtype=torch.float64) + 1e-6) / torch.tensor([down, right])
    high = low + (1 - 2e-6) / torch.tensor([down, right])
    x = torch.from_numpy(image).expand(len(offsets), -1, -1, -1)
    wanted = np.stack([OFFSET[name](image, *offset) for offset in offsets])
    assert len(np.unique(wanted, axis=0)) == len(offsets)
    for u in (low, high):
        np.testing.assert_array_equal(getattr(module, name)(x, u).numpy(), wanted)


def test_every_translation_is_as_likely() -> None:
    torch.manual_seed(0)
    n, side = 20_000, 32
    x = torch.zeros(n, 1, side, side)
    x[:, :, 16, 16] = 1
    y = module.translation(x, torch.rand(n, 2)).flatten(1).argmax(1)
    shifts = torch.stack([y // side - 16, y % side - 16])
    for axis in shifts:
        values, counts = axis.unique(return_counts=True)
        assert values.tolist() == list(range(-4, 5))
        assert counts.float().div(n).sub(1 / 9).abs().max() < 4 * (1 / 9 * 8 / 9 / n) ** 0.5
    assert abs(torch.corrcoef(shifts.double())[0, 1]) < 4 * n**-0.5


def test_cutout_hides_a_quarter_where_it_lies_inside() -> None:
    torch.manual_seed(0)
    hidden = 1 - module.cutout(torch.ones(5000, 1, 8, 8), torch.rand(5000, 2))
    # top is -2, ..., 6, each as likely: 2, 3, 4, 4, 4, 4, 4, 3 and 2 of 8 rows are hidden
    assert hidden.sum((1, 2, 3)).max() == 16
    assert hidden.mean().item() == pytest.approx((30 / 9 / 8) ** 2, rel=0.02)


def test_ends_of_the_random_numbers_stay_inside() -> None:
    x = torch.rand(2, 1, 8, 8)
    u = torch.tensor([[0.0, 1.0], [1.0, 0.0]])  # 1 may come from rounding
    assert module.translation(x, u)[0, 0, -1, 0] == 0  # up by 1 and right by 1
    assert module.translation(x, u)[0, 0, 0, 1] == x[0, 0, 1, 0]
    assert module.cutout(x, u).count_nonzero() == 2 * (64 - 2 * 2)


def test_augment_is_the_operations_in_order_each_with_its_own_numbers() -> None:
    operations = [*POLICIES["color"], *POLICIES["translation"], *POLICIES["cutout"]]
    x, u = inputs(len(operations))
    wanted = x
    for k, operation in enumerate(operations):
        wanted = operation(wanted, u[:, k, :2])
    assert torch.equal(augment(x, u, operations), wanted)
    assert torch.equal(augment(x, u, operations, p=0.0), x)
    assert torch.equal(augment(x, u, []), x)


def test_each_image_is_augmented_with_probability_p() -> None:
    torch.manual_seed(0)
    n = 20_000
    x, u = torch.zeros(n, 1, 2, 2), torch.rand(n, 1, DRAWS)
    p = torch.tensor(0.3)
    changed = augment(x, u, [module.brightness], p).any(3).any(2).any(1)
    assert changed.float().mean().item() == pytest.approx(0.3, abs=4 * (0.21 / n) ** 0.5)
    assert torch.equal(changed, u[:, 0, 2] < 0.3)


# --- Networks that augment what they see


class Method(nn.Module):
    """`features` is a method."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.l = nn.Conv2d(1, 2, 3), nn.Linear(72, 1)

    def features(self, x: Tensor) -> Tensor:
        h: Tensor = torch.tanh(self.conv(x)).flatten(1)
        return h

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.l(self.features(x))
        return logits if y is None else logits * y[:, None]


class Submodule(nn.Module):
    """`features` is a network."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten())
        self.l = nn.Linear(72, 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.l(self.features(x))
        return logits if y is None else logits * y[:, None]


class Plain(nn.Module):
    """No `features`."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits if y is None else logits * y[:, None]


KINDS = [Method, Submodule, Plain]
ALL = tuple(POLICIES)


def pair(kind: type[nn.Module]) -> tuple[Any, Any, Tensor]:
    """A network, the same augmented, and images."""
    torch.manual_seed(0)
    plain = kind()
    return plain, augment_input(deepcopy(plain), ALL), torch.rand(4, 1, 8, 8)


def by_hand(x: Tensor) -> Tensor:
    """x as the augmented networks see it after the same seed."""
    operations = [operation for name in ALL for operation in POLICIES[name]]
    return augment(x, torch.rand(len(x), len(operations), DRAWS), operations)


def seeded(f: Callable[[], Tensor], seed: int = 1) -> Tensor:
    torch.manual_seed(seed)
    return f()


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_sees_each_image_augmented_once(kind: type[nn.Module]) -> None:
    plain, augmented, x = pair(kind)
    assert torch.equal(seeded(lambda: augmented(x)), seeded(lambda: plain(by_hand(x))))
    y = torch.rand(4)
    assert torch.equal(seeded(lambda: augmented(x, y)), seeded(lambda: plain(by_hand(x), y)))
    if hasattr(plain, "features"):
        wanted = seeded(lambda: plain.features(by_hand(x)))
        assert torch.equal(seeded(lambda: augmented.features(x)), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_real_and_fake_get_numbers_of_their_own(kind: type[nn.Module]) -> None:
    _, augmented, x = pair(kind)
    torch.manual_seed(1)
    first, second = augmented(x), augmented(x)
    assert not torch.equal(first, second)
    assert torch.equal(first, seeded(lambda: augmented(x)))  # the same seed, the same result
    rows = augmented(x[:1].expand(4, -1, -1, -1))
    assert len(rows.unique()) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_sees_the_images_as_they_are(kind: type[nn.Module]) -> None:
    plain, augmented, x = pair(kind)
    assert torch.equal(augmented.eval()(x), plain.eval()(x))


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_copies_are_those_of_the_network(kind: type[nn.Module]) -> None:
    plain, augmented, x = pair(kind)
    assert list(augmented.state_dict()) == list(plain.state_dict())
    assert [n for n, _ in augmented.named_parameters()] == [n for n, _ in plain.named_parameters()]
    assert isinstance(augmented, kind)
    copy = deepcopy(augmented)
    for p in copy.parameters():
        p.data.zero_()
    assert not seeded(lambda: copy(x)).any() and seeded(lambda: augmented(x)).any()
    assert not torch.equal(seeded(lambda: augmented(x)), augmented.eval()(x))


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_with_other_weights(kind: type[nn.Module]) -> None:
    plain, augmented, x = pair(kind)
    weights = {name: torch.randn_like(p) for name, p in plain.named_parameters()}
    found = seeded(lambda: torch.func.functional_call(augmented, weights, (x,)))
    plain.load_state_dict(weights)
    assert torch.equal(found, seeded(lambda: plain(by_hand(x))))


@pytest.mark.parametrize("kind", KINDS)
def test_a_penalty_goes_through_the_augmentation(kind: type[nn.Module]) -> None:
    plain, augmented, x = pair(kind)
    found = seeded(lambda: gradient_penalty(augmented, x))

    def by_autograd() -> Tensor:
        at = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(plain(by_hand(at)).sum(), at, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()

    wanted = seeded(by_autograd)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(found, list(augmented.parameters()), allow_unused=True),
        torch.autograd.grad(wanted, list(plain.parameters()), allow_unused=True),
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses torch.jit
@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_compiles_as_one_graph(kind: type[nn.Module]) -> None:
    torch._dynamo.reset()
    _, augmented, x = pair(kind)

    def loss(x: Tensor) -> Tensor:
        return augmented(x).mean() + gradient_penalty(augmented, x)

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(seeded(lambda: compiled(x)), seeded(lambda: loss(x)))
    torch.manual_seed(1)
    assert not torch.equal(compiled(x), compiled(x))
