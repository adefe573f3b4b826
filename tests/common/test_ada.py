"""common/ada.py: every operation against NumPy and SciPy, and the laws of what is drawn."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage, stats
from torch import Tensor

from ganlib.common import ada
from ganlib.common.ada import GROUPS, OPERATIONS, SYM6, augment_ada, draw, filters

Array = NDArray[np.float64]
SHAPES = [(3, 3, 12, 12), (3, 3, 10, 14), (2, 1, 9, 9), (2, 4, 8, 8)]
TAPS = torch.tensor(SYM6, dtype=torch.float64)
BANDS = filters()[1].double()
MOVING = [name for name, o in OPERATIONS.items() if o.group in ("blit", "geometry")]
COLOURS = [name for name, o in OPERATIONS.items() if o.group == "color"]


def images(shape: tuple[int, ...]) -> Tensor:
    torch.manual_seed(0)
    return torch.rand(shape, dtype=torch.float64) * 2 - 1


def drawn(n: int, names: list[str]) -> dict[str, Tensor]:
    """Values of which these operations happen to every image, and no others do."""
    torch.manual_seed(1)
    u = torch.rand(n, len(OPERATIONS), 3, dtype=torch.float64)
    found, still = draw(u, GROUPS, 1.0), draw(u, GROUPS, 0.0)
    return {name: (found if name in names else still)[name].double() for name in found}


# --- Geometry: 3x3 matrices one after the other, and an image that is padded by a lot


def matrix(values: dict[str, Any], i: int, height: int, width: int) -> Array:
    """From where a pixel was to where it is, (down, across, 1) from the middle."""
    of = {name: value[i].numpy() for name, value in values.items()}

    def turn(angle: float) -> Array:
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])

    def shift(down: float, across: float) -> Array:
        return np.array([[1, 0, down], [0, 1, across], [0, 0, 1]])

    whole = np.eye(3)
    for step in (
        np.diag([1, of["mirror"][0], 1]),
        turn(of["quarters"][0]),
        shift(*np.round(of["shift"] * (height, width))),
        np.diag([of["scale"][0], of["scale"][0], 1]),
        turn(of["turn"][0]),
        np.diag([of["stretch"][0], 1 / of["stretch"][0], 1]),
        turn(of["turn_again"][0]),
        shift(*(of["drift"] * (height, width))),
    ):
        whole = step @ whole
    return whole


def moved(x: Array, there: Array) -> Array:
    """x (C, H, W) by a matrix: padded, twice as large, read by SciPy, half as large."""
    pad, (height, width) = 60, x.shape[1:]
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad)), mode="reflect")
    for axis in (1, 2):
        spread = np.zeros([n * (1 + (k == axis)) for k, n in enumerate(wide.shape)])
        spread[(slice(None),) * axis + (slice(None, None, 2),)] = wide
        wide = np.apply_along_axis(np.convolve, axis, spread, 2**0.5 * np.array(SYM6))
        wide = np.take(wide, range(5, 5 + spread.shape[axis]), axis)
    middle = np.array([height - 1, width - 1]) / 2
    places = np.stack(
        np.meshgrid(*(np.arange(-5, 2 * n + 5) / 2 for n in (height, width)), indexing="ij"), -1
    )
    back = np.linalg.inv(there)
    origin = (places - middle) @ back[:2, :2].T + back[:2, 2] + middle
    index = np.moveaxis(2 * (origin + pad), -1, 0)
    read = np.stack([ndimage.map_coordinates(c, index, order=1) for c in wide])
    for axis in (1, 2):
        taps = np.array(SYM6) / 2**0.5
        read = np.apply_along_axis(np.correlate, axis, read, taps, "valid")
        read = np.take(read, range(0, read.shape[axis], 2), axis)
    return read


@pytest.mark.parametrize("names", [*([name] for name in MOVING), MOVING], ids="-".join)
def test_geometry_is_scipys(names: list[str]) -> None:
    for shape in SHAPES[:3]:
        x, values = images(shape), drawn(shape[0], names)
        found = ada.move(x, *ada.affine(values, shape[2:]), TAPS)
        for i in range(shape[0]):
            wanted = moved(x[i].numpy(), matrix(values, i, *shape[2:]))
            np.testing.assert_allclose(found[i].numpy(), wanted, atol=1e-9)


def test_whole_pixels_are_moved_exactly_and_flips_nearly() -> None:
    x = images((4, 1, 32, 32))
    still = drawn(4, [])
    down = {**still, "shift": torch.tensor([[4 / 32, 0.0]]).double().expand(4, 2)}
    found = ada.move(x, *ada.affine(down, (32, 32)), TAPS)
    torch.testing.assert_close(found[:, :, 4:], x[:, :, :-4], atol=1e-8, rtol=0)
    smooth = torch.from_numpy(ndimage.gaussian_filter(x.numpy(), (0, 0, 2, 2)))
    flipped = {**still, "mirror": -torch.ones(4, 1).double()}
    found = ada.move(smooth, *ada.affine(flipped, (32, 32)), TAPS)
    torch.testing.assert_close(found, smooth.flip(3), atol=0.02, rtol=0)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_is_beside_moves_alike(times: int) -> None:
    """A picture of other size, and a map of integers: what they show stays at the same place."""
    n, side = 6, 32
    blob = torch.exp(-((torch.arange(side) - 10) ** 2) / 60.0).double()
    x = (blob[:, None] * blob.roll(8)).expand(n, 1, side, side)
    large = torch.nn.functional.interpolate(x, scale_factor=times, mode="bicubic")
    ids = (large > 0.5).long()
    values = drawn(n, MOVING)
    place = ada.affine(values, (side, side))
    turned = ada.move(large, *place, TAPS)
    small = torch.nn.functional.interpolate(turned, (side, side), mode="area")
    assert (small - ada.move(x, *place, TAPS)).abs().mean() < 0.02
    marked = ada.move(ids, *place, TAPS)
    assert marked.dtype == torch.int64
    assert (marked == (turned > 0.5)).double().mean() > 0.97


# --- Colour, filter, noise, cutout


def recoloured(x: Array, of: dict[str, float], channels: int) -> Array:
    """By 4x4 matrices of the paper, generalised to any number of channels: x (C, H, W)."""
    v = np.ones((channels, 1)) / channels**0.5
    along, eye = v @ v.T, np.eye(channels)
    y = (x.reshape(channels, -1) + of["brightness"]) * of["contrast"]
    y = (eye - (1 - of["luma"]) * along) @ y
    if channels == 3:
        cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5
        c, s = np.cos(of["hue"]), np.sin(of["hue"])
        y = (c * eye + s * cross + (1 - c) * along) @ y
    return ((along + (eye - along) * of["saturation"]) @ y).reshape(x.shape)


@pytest.mark.parametrize("names", [*([name] for name in COLOURS), COLOURS], ids="-".join)
@pytest.mark.parametrize("shape", SHAPES)
def test_colour_is_the_papers_matrices(names: list[str], shape: tuple[int, ...]) -> None:
    x, values = images(shape), drawn(shape[0], names)
    found = ada.recolor(x, values)
    for i in range(shape[0]):
        of = {name: values[name][i, 0].item() for name in COLOURS}
        wanted = recoloured(x[i].numpy(), of, shape[1])
        np.testing.assert_allclose(found[i].numpy(), wanted, atol=1e-12)
    without = {1: ["hue", "saturation"], 3: []}.get(shape[1], ["hue"])
    assert torch.allclose(found, x) == (names[0] in without)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_filter_is_scipys(shape: tuple[int, ...]) -> None:
    x, power = images(shape), np.array([10, 1, 1, 1]) / 13
    factors = torch.rand(shape[0], 4).double() * 3
    found = ada.amplify(x, factors, BANDS)
    for i in range(shape[0]):
        gain = np.ones(4)
        for k in range(4):
            one = np.where(np.arange(4) == k, factors[i].numpy(), 1)
            gain *= one / np.sqrt(power @ one**2)
        taps, wanted = gain @ BANDS.numpy(), x[i].numpy()
        for axis in (1, 2):
            wanted = ndimage.convolve1d(wanted, taps, axis, mode="mirror")
        np.testing.assert_allclose(found[i].numpy(), wanted, atol=1e-12)


def test_bands_lie_where_the_paper_says() -> None:
    frequencies, edges = np.linspace(0, np.pi, 513), np.pi * np.array([0, 1, 2, 4, 8]) / 8
    turns = np.exp(-1j * np.outer(frequencies, np.arange(43) - 21))
    responses = (turns @ BANDS.numpy().T).real
    np.testing.assert_allclose(responses.sum(1), 1, atol=1e-6)
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = (frequencies >= low) & (frequencies <= high)
        assert (responses.argmax(1)[inside] == k).mean() > 0.95
    np.testing.assert_allclose(TAPS.square().sum(), 1, atol=1e-6)


def test_noise_and_cutout() -> None:
    torch.manual_seed(0)
    x, taps = torch.ones(2000, 1, 16, 16), filters()
    noise, _ = augment_ada(x, None, ("noise",), 1.0, *taps)
    deviations = (noise - 1).std((1, 2, 3))
    assert stats.kstest(deviations / 0.1, stats.halfnorm.cdf).pvalue > 1e-3
    hidden = augment_ada(x, x, ("cutout",), 1.0, *taps)
    assert hidden[1] is not None and torch.equal(*hidden)  # type: ignore[arg-type]
    size = (hidden[0] == 0).sum((1, 2, 3))
    assert size.max() == 64 and size.double().mean() / 256 == pytest.approx((7 / 16) ** 2, rel=0.03)
    values = torch.tensor([[0.5, 0.25]])
    (rows, columns) = np.nonzero(ada.cut(x[:1], values)[0, 0].numpy() == 0)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 11, 0, 7)


# --- What is drawn

UNIFORM = stats.uniform(-np.pi, 2 * np.pi).cdf
LAWS = {
    "shift": stats.uniform(-0.125, 0.25).cdf,
    "drift": stats.norm(0, 0.125).cdf,
    "brightness": stats.norm(0, 0.2).cdf,
    "noise": stats.halfnorm(0, 0.1).cdf,
    "cutout": stats.uniform(0, 1).cdf,
    **dict.fromkeys(("turn", "turn_again", "hue"), UNIFORM),
}
EXPONENTS = {"scale": 0.2, "stretch": 0.2, "contrast": 0.5, "saturation": 1}
EXPONENTS |= {f"band_{k}": 1 for k in range(4)}
VALUES = {"mirror": [-1, 1], "luma": [-1, 1], "quarters": [0, np.pi / 2, np.pi, 1.5 * np.pi]}
N = 20_000


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_law_of_every_operation(name: str) -> None:
    torch.manual_seed(0)
    u = torch.rand(N, len(OPERATIONS), 3)
    for column in draw(u, GROUPS, torch.tensor(1.0))[name].T.double().numpy():
        if name in VALUES:
            values, counts = np.unique(column, return_counts=True)
            np.testing.assert_allclose(values, VALUES[name], atol=1e-6)
            assert stats.chisquare(counts).pvalue > 1e-3
        elif name in EXPONENTS:
            law = stats.norm(0, EXPONENTS[name]).cdf
            assert stats.kstest(np.log2(column), law).pvalue > 1e-3
        else:
            assert stats.kstest(column, LAWS[name]).pvalue > 1e-3


def test_each_operation_happens_with_probability_p_by_itself() -> None:
    torch.manual_seed(0)
    p, happened = 0.3, []
    values = draw(torch.rand(N, len(OPERATIONS), 3), GROUPS, torch.tensor(p))
    for name, operation in OPERATIONS.items():
        happened.append((values[name] != operation.identity).any(1).double())
        often = {"mirror": p / 2, "luma": p / 2, "quarters": 0.75 * p}.get(name, p)
        often = 1 - 0.7**0.5 if operation.twice else often
        assert abs(happened[-1].mean().item() - often) < 4 * (often * (1 - often) / N) ** 0.5
    apart = torch.corrcoef(torch.stack(happened)).fill_diagonal_(0)
    assert apart.abs().max() < 5 * N**-0.5
    either = 1 - (1 - happened[4]) * (1 - happened[6])  # both rotations together
    assert abs(either.mean().item() - p) < 4 * (p * (1 - p) / N) ** 0.5
    without = draw(torch.rand(9, len(OPERATIONS), 3), ("noise",), 1.0)
    assert [n for n, o in OPERATIONS.items() if (without[n] != o.identity).any()] == ["noise"]


def test_images_change_as_often_as_it_follows_from_that() -> None:
    torch.manual_seed(0)
    x, p = torch.rand(2000, 3, 8, 8), 0.1
    y, _ = augment_ada(x, None, ("blit", "geometry", "color"), torch.tensor(p), *filters())
    changed = ((x - y).abs().amax((1, 2, 3)) > 1e-3).double().mean().item()
    assert changed == pytest.approx(1 - (1 - p / 2) ** 2 * (1 - 0.75 * p) * (1 - p) ** 9, abs=0.03)


@pytest.mark.parametrize("shape", [(4, 3, 32, 32), (2, 1, 28, 28), (2, 6, 16, 24)])
def test_nothing_happens_with_probability_0(shape: tuple[int, ...]) -> None:
    x = images(shape).float()
    y, beside = augment_ada(x, x, GROUPS, torch.tensor(0.0), *filters())
    assert beside is not None
    for seen in (y, beside):
        torch.testing.assert_close(seen, x, atol=1e-5, rtol=0)
    assert y.dtype == torch.float32


@pytest.mark.parametrize("group", GROUPS)
def test_gradients_of_both_orders(group: str) -> None:
    x = images((2, 3, 8, 8)).requires_grad_()

    def seen(x: Tensor) -> Tensor:
        torch.manual_seed(3)
        return augment_ada(x, None, (group,), 1.0, TAPS, BANDS)[0]

    assert torch.autograd.gradcheck(seen, (x,), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: seen(x).pow(3), (x,), fast_mode=True)
