"""Clothes that move: positions by other formulas, what hides what, and functions of numbers."""

from math import hypot
from pathlib import Path

import numpy as np
import pytest
import torch

from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.datasets.moving import Moving, past
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.query import open_dataset
from ganlib.common.sources.futures import future
from ganlib.common.synthetic.sequences import (
    PAST,
    SIDE,
    SPEEDS,
    WINDOWS,
    Slide,
    State,
    clothes,
    make_item,
)


def square(value: int) -> np.ndarray:
    """A picture that covers the middle half of each side."""
    picture = np.zeros((28, 28), np.uint8)
    picture[7:21, 7:21] = value
    return picture


@pytest.fixture
def moving() -> Moving:
    return Moving(np.stack([square(v) for v in (255, 100, 180)]), 0, SIDE)


@pytest.fixture(scope="module")
def real() -> dict[str, DataSet]:
    return {split: open_dataset("moving", None, split) for split in ("train", "test")}


def wandered(at: float, speed: float, low: float, high: float, frames: int) -> list[float]:
    """Positions on a line, in a thousand small steps a frame, each turned round at a border."""
    found = [at]
    for _ in range(frames):
        for _ in range(1000):
            at += speed / 1000
            if at > high:
                at, speed = high - (at - high), -speed
            elif at < low:
                at, speed = low + (low - at), -speed
        found.append(at)
    return found


@pytest.mark.parametrize("number", [0, 3, 17])
def test_items_go_as_in_small_steps(moving: Moving, number: int) -> None:
    slide, state = moving.start(number)
    states = [state]
    for _ in range(40):
        states.append(slide.step(states[-1]))
    for i, item in enumerate(slide.items):
        for axis in (0, 1):
            ends = float(item.low[axis]), float(item.high[axis])
            expected = wandered(state.at[i, axis], state.speed[i, axis], *ends, 40)
            seen = [one.at[i, axis] for one in states]
            assert np.allclose(seen, expected, atol=1e-6)
            assert len({np.sign(one.speed[i, axis]) for one in states}) == 2  # there were bounces


def test_speeds_stay_and_lie_within_their_bounds(moving: Moving) -> None:
    for number in range(30):
        slide, state = moving.start(number)
        speeds = [hypot(*row) for row in state.speed]
        assert all(SPEEDS[0] <= v / SIDE <= SPEEDS[1] for v in speeds)
        for _ in range(20):
            state = slide.step(state)
        assert np.allclose([hypot(*row) for row in state.speed], speeds)


def test_nothing_leaves_the_square_and_all_of_it_is_shown() -> None:
    """Bilinear positions keep the sum of the light, as long as nothing is cut off or hidden."""
    item = make_item(clothes("test")[3], SIDE)
    slide = Slide([item], SIDE)
    state = slide.state(np.array([[0.9, 0.2]]), np.array([[2.3, -1.7]]))
    for _ in range(50):
        frame = slide.render(state)[0].astype(float)
        assert abs(frame.sum() - item.light.sum()) < 0.01 * item.light.sum()
        # the centre of the light is where the item says
        for axis in (0, 1):
            along = frame.sum(1 - axis) @ np.arange(SIDE) / frame.sum()
            own = item.light.sum(1 - axis) @ np.arange(len(item.light)) / item.light.sum()
            assert abs(along - own - state.at[0, axis]) < 0.1
        state = slide.step(state)


def test_positions_between_pixels_are_bilinear() -> None:
    item = make_item(square(255), SIDE)
    slide, still = Slide([item], SIDE), np.zeros((1, 2))
    whole = np.zeros((SIDE, SIDE))
    whole[5:19, 8:22] = item.light
    assert np.array_equal(slide.render(State(np.array([[5.0, 8.0]]), still))[0], np.rint(whole))
    moved = sum(
        weight * np.roll(whole, (down, right), (0, 1))
        for down, right, weight in ((0, 0, 0.3), (1, 0, 0.1), (0, 1, 0.45), (1, 1, 0.15))
    )
    between = slide.render(State(np.array([[5.25, 8.6]]), still))[0]
    assert np.abs(between - moved).max() <= 0.5 + 1e-9


def test_the_later_item_hides_the_earlier() -> None:
    items = [make_item(square(v), SIDE) for v in (100, 200)]
    at, still = np.array([[4.0, 4.0], [7.0, 6.0]]), np.zeros((2, 2))
    for order, above in (((0, 1), 200), ((1, 0), 100)):
        slide = Slide([items[i] for i in order], SIDE)
        frame = slide.render(State(at[list(order)], still))[0]
        both = np.ones((SIDE, SIDE), bool)
        for corner in at.astype(int):
            solid = np.zeros_like(both)
            inside = items[0].light > 99.9  # of the fainter one
            solid[corner[0] : corner[0] + 14, corner[1] : corner[1] + 14] = inside
            both &= solid
        assert both.sum() > 4 and np.abs(frame[both].astype(int) - above).max() <= 1


def test_a_function_of_seed_and_number(moving: Moving) -> None:
    again, other = (Moving(moving.pictures, seed, SIDE) for seed in (0, 1))
    for number in (4, 0, 4_999):
        frames = moving.frames(number, 0, 6)
        assert np.array_equal(frames, again.frames(number, 0, 6))
        assert np.array_equal(frames[2:], moving.frames(number, 2, 4))
        assert not np.array_equal(frames, other.frames(number, 0, 6))
        assert not np.array_equal(frames, moving.frames(number + 1, 0, 6))


def test_the_pairs(real: dict[str, DataSet]) -> None:
    for split, n in (("train", 50_000), ("test", 10_000)):
        data, rows = real[split], torch.tensor([WINDOWS + 3, 0])
        assert data.shape == (1, SIDE, SIDE) and len(data) == n and data.y is None
        assert (data.frames, data.source_frames) == (1, PAST) and data.source is not None
        x, y = data.x[rows], data.source[rows]
        assert x.shape == (2, 1, SIDE, SIDE) and y.shape == (2, PAST, SIDE, SIDE)
        assert x.dtype == y.dtype == torch.uint8
        sequence = Moving(clothes(split), ["train", "test"].index(split), SIDE).frames(1, 3, 5)
        assert np.array_equal(torch.cat([y, x], 1)[0].numpy(), sequence)
    assert open_dataset("moving", None, "test", 40).x[torch.tensor([9_999])].shape[2:] == (40, 40)
    with pytest.raises(UserError, match="8 pixels a side"):
        open_dataset("moving", None, "test", 4)
    with pytest.raises(UserError, match="no split 'valid'"):
        open_dataset("moving", None, "valid")


def test_splits_have_nothing_in_common(real: dict[str, DataSet]) -> None:
    items = [{picture.tobytes() for picture in clothes(split)} for split in real]
    assert len(items[0]) == 60_000 and len(items[1]) == 10_000 and not items[0] & items[1]
    starts = [Moving(clothes(split), k, SIDE).start(5)[1] for k, split in enumerate(real)]
    assert not np.allclose(starts[0].speed, starts[1].speed)


def test_the_future_can_be_reached(real: dict[str, DataSet]) -> None:
    index = torch.tensor([0, 30, 31])
    frames, whole = future(real["test"], index, WINDOWS)
    assert whole.tolist() == [True, True, False]
    more = past("test", None, PAST, WINDOWS)
    assert more.frames == WINDOWS and more.shape == (WINDOWS, SIDE, SIDE)
    assert torch.equal(more.x[index[:2]], frames[:2].flatten(1, 2))


def test_they_are_loaded_and_written(tmp_path: Path, real: dict[str, DataSet]) -> None:
    data, rows = real["test"], torch.arange(6)
    loader = Loader(data, fit_spec(data, (SIDE, SIDE)), 4, 0, condition="images", workers=0)
    x, y = next(loader)
    assert y is not None and x.shape == (4, 1, SIDE, SIDE) and y.shape == (4, PAST, SIDE, SIDE)
    assert data.source is not None
    few = DataSet(
        "few", data.x[rows], source=data.source[rows], frames=1, source_frames=data.source_frames
    )
    write_hdf5(tmp_path / "a.h5", few)
    read = read_hdf5(tmp_path / "a.h5", "train")
    assert read.source_frames == PAST and torch.equal(read.source[rows], few.source[rows])  # type: ignore[index]
