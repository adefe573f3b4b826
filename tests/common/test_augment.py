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
from ganlib.common.augment import (
    DRAWS,
    GEOMETRY,
    POLICIES,
    Operation,
    augment,
    augment_input,
    augment_inputs,
    augment_pair,
    flip,
    probability_of,
)
from ganlib.common.errors import UserError
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


# --- Pairs


def checkerboard(side: int, cell: int) -> Tensor:
    """(64, 1, side, side) of one image: squares of `cell` pixels, each of a value of its own."""
    n = side // cell
    squares = torch.arange(1, n * n + 1).reshape(n, n) * (-1) ** torch.arange(n)
    return squares.repeat_interleave(cell, 0).repeat_interleave(cell, 1).expand(64, 1, -1, -1)


GEOMETRIC = [flip, *POLICIES["translation"], *POLICIES["cutout"]]


def test_a_pair_that_is_equal_stays_equal_under_geometry() -> None:
    """As images, as a map of integers, and as x alone is augmented."""
    torch.manual_seed(0)
    ids = checkerboard(16, 1)
    x, u = ids.double(), torch.rand(64, len(GEOMETRIC), DRAWS)
    moved, beside = augment_pair(x, x.clone(), u, GEOMETRIC, torch.tensor(0.7))
    assert torch.equal(moved, beside) and not torch.equal(moved, x)
    assert torch.equal(moved, augment(x, u, GEOMETRIC, 0.7))
    _, map_ = augment_pair(x, ids, u, GEOMETRIC, 0.7)
    assert map_.dtype == torch.int64 and torch.equal(map_, moved.long())


@pytest.mark.parametrize(("of_x", "of_y"), [(32, 8), (8, 32), (48, 32), (16, 16)])
def test_a_pair_of_two_sizes_is_moved_by_the_same_part_of_its_sides(of_x: int, of_y: int) -> None:
    """Both are images of the same 8 to 16 squares a side, and stay so, square by square."""
    torch.manual_seed(0)
    n = np.gcd(of_x, of_y)
    x, y = checkerboard(of_x, of_x // n).double(), checkerboard(of_y, of_y // n).double()
    u = torch.rand(64, len(GEOMETRIC), DRAWS)
    x, y = augment_pair(x, y, u, GEOMETRIC)
    of_squares = augment(checkerboard(n, 1).double(), u, GEOMETRIC)
    for image, side in ((x, of_x), (y, of_y)):
        enlarged = of_squares.repeat_interleave(side // n, 2).repeat_interleave(side // n, 3)
        assert torch.equal(image, enlarged)


def test_colour_is_x_alone() -> None:
    x, u = inputs(6)
    operations = [*POLICIES["color"], *GEOMETRIC]
    changed, beside = augment_pair(x, x.clone(), u, operations)
    assert torch.equal(changed, augment(x, u, operations))
    assert torch.equal(beside, augment(x, u[:, 3:], GEOMETRIC))
    assert {*OPERATIONS} - {*GEOMETRY} == {*POLICIES["color"]}


def test_sides_without_common_eighths_are_refused() -> None:
    _, u = inputs(1)
    with pytest.raises(UserError, match=r"\(28, 28\) and \(32, 32\) pixels cannot be moved"):
        augment_pair(torch.zeros(5, 1, 28, 28), torch.zeros(5, 1, 32, 32), u, [flip])


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
@pytest.mark.parametrize(
    "kind", [Method, *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]
)
def test_a_loss_compiles_as_one_graph(kind: type[nn.Module]) -> None:
    torch._dynamo.reset()
    _, augmented, x = pair(kind)

    def loss(x: Tensor) -> Tensor:
        return augmented(x).mean() + gradient_penalty(augmented, x)

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(seeded(lambda: compiled(x)), seeded(lambda: loss(x)))
    torch.manual_seed(1)
    assert not torch.equal(compiled(x), compiled(x))


# --- Networks that are given something beside x


class Difference(nn.Module):
    """What it is given, as it arrives. It has `features`, which see x and y at once."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Identity()

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.features(x), self.features(y)


def test_a_network_sees_both_moved_alike() -> None:
    network = augment_inputs(Difference(), ("translation", "cutout"))
    board = checkerboard(16, 1)
    for give in (lambda: network(board.float(), board), lambda: network(board.float(), y=board)):
        x, y = seeded(give)
        assert torch.equal(x.long(), y) and len(x.unique(dim=0)) > 32
    x, y = network.eval()(board.float(), board)
    assert torch.equal(x.long(), board) and torch.equal(y, board)


@pytest.mark.parametrize(
    "y", [torch.arange(64), torch.rand(64, 10), torch.rand(64, 3, 1, 1)], ids=lambda y: y.shape
)
def test_what_is_no_image_is_left_alone(y: Tensor) -> None:
    network, x = augment_inputs(Difference(), ALL), checkerboard(16, 1).float()
    seen, beside = network(x, y)
    assert torch.equal(beside, y) and not torch.equal(seen, x)


@pytest.mark.parametrize("kind", KINDS)
def test_the_probability_is_a_buffer_that_can_be_written(kind: type[nn.Module]) -> None:
    plain, _, x = pair(kind)
    network: Any = augment_input(deepcopy(plain), ALL, torch.zeros(()))
    assert torch.equal(network(x), plain(x))
    other = deepcopy(network)
    probability_of(network).fill_(1)
    assert torch.equal(seeded(lambda: network(x)), seeded(lambda: plain(by_hand(x))))
    assert torch.equal(other(x), plain(x))
    assert len(set(network.state_dict()) - set(plain.state_dict())) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses torch.jit
def test_a_pair_compiles_and_its_probability_stays_a_variable() -> None:
    torch._dynamo.reset()
    network = augment_inputs(Difference(), ALL, torch.zeros(()))
    x = checkerboard(16, 1).float()
    compiled = torch.compile(lambda x, y: network(x, y), fullgraph=True, backend="eager")
    for p in (0.0, 1.0):
        probability_of(network).fill_(p)
        seen, beside = compiled(x, x)
        assert torch.equal(beside, x) == torch.equal(seen, x) == (p == 0)
