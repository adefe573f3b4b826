"""Clothes that are pushed: dynamics by hand, and actions that say what comes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.datasets.pushed import FRICTION, IMPULSE, NOTHING, Pushed, as_action, past
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.query import open_dataset
from ganlib.common.synthetic.sequences import PAST, SIDE, WINDOWS, Slide, State, clothes, make_item


@pytest.fixture(scope="module")
def pushed() -> Pushed:
    return Pushed(clothes("test"), 1, SIDE)


@pytest.fixture(scope="module")
def real() -> dict[str, DataSet]:
    return {split: open_dataset("pushed", None, split) for split in ("train", "test")}


@pytest.mark.parametrize("number", [0, 1, 12])
def test_items_go_as_by_hand(pushed: Pushed, number: int) -> None:
    slide, state = pushed.start(number)
    (item,) = slide.items
    pushes = pushed.pushes(number, 0, 40)
    states = list(slide.states(state, [as_action(push)[None] for push in pushes]))
    for axis in (0, 1):
        at, speed = state.at[0, axis], state.speed[0, axis]
        for push, after in zip(pushes[:, axis].tolist(), states[1:], strict=True):
            speed = 0.75 * speed + 3 * (push / 127.5 - 1)
            at += speed
            if at < item.low[axis]:
                at, speed = 2 * item.low[axis] - at, -speed
            if at > item.high[axis]:
                at, speed = 2 * item.high[axis] - at, -speed
            assert after.at[0, axis] == pytest.approx(at)
            assert after.speed[0, axis] == pytest.approx(speed)


def test_without_a_push_an_item_comes_to_rest_where_friction_says() -> None:
    item = make_item(clothes("test")[0], SIDE)
    slide = Slide([item], SIDE, FRICTION, IMPULSE * SIDE)
    state = State((item.low + 4)[None], np.array([[1.0, 0.5]]))
    for _ in range(60):
        state = slide.step(state)
    # 1 + q + q^2 + ... less its first term, q = 1 - FRICTION
    way = (1 - FRICTION) / FRICTION * np.array([1.0, 0.5])
    assert np.allclose(state.at[0], item.low + 4 + way)
    assert np.abs(state.speed).max() < 1e-6
    rested = slide.step(State(state.at, np.zeros((1, 2))), np.zeros((1, 2)))
    assert np.array_equal(rested.at, state.at)


def test_half_begin_at_rest_and_half_of_the_pushes_are_none(pushed: Pushed) -> None:
    rest = [not pushed.start(number)[1].speed.any() for number in range(200)]
    assert 70 < sum(rest) < 130
    pushes = np.concatenate([pushed.pushes(number, 0, 10) for number in range(50)])
    none = (pushes == NOTHING).all(1)
    assert 200 < none.sum() < 300
    actions = as_action(pushes[~none])
    assert actions.min() < -0.95 and actions.max() > 0.95 and abs(actions.mean()) < 0.1


def test_a_source_says_what_comes_next(pushed: Pushed, real: dict[str, DataSet]) -> None:
    """The simulator, given the channels of the push, makes x out of its state."""
    data, number, at = real["test"], 7, 5
    row = torch.tensor([number * WINDOWS + at])
    assert data.source is not None
    y, x = data.source[row][0], data.x[row][0]
    slide, state = pushed.start(number)
    before = [as_action(push)[None] for push in pushed.pushes(number, 0, at + PAST - 1)]
    *_, state = slide.states(state, before)
    assert np.array_equal(y[PAST - 1].numpy(), slide.render(state)[0])
    assert (y[PAST:].flatten(1) == y[PAST:, :1, 0]).all()
    action = y[PAST:, 0, 0].double().numpy() / 127.5 - 1
    assert np.array_equal(x.numpy(), slide.render(slide.step(state, action[None])))
    assert not np.array_equal(x.numpy(), slide.render(slide.step(state, -action[None])))


def test_the_pairs(real: dict[str, DataSet]) -> None:
    for split, n in (("train", 50_000), ("test", 10_000)):
        data, rows = real[split], torch.tensor([WINDOWS + 3, 0])
        assert data.shape == (1, SIDE, SIDE) and len(data) == n and data.source is not None
        assert data.source.shape == (n, PAST + 2, SIDE, SIDE)
        assert (data.frames, data.source_frames) == (1, PAST + 2)
        assert torch.equal(data.source[rows.flip(0)], data.source[rows].flip(0))
        assert torch.equal(data.source[rows + 1][:, PAST - 1 : PAST], data.x[rows])
    assert not torch.equal(real["train"].x[torch.arange(4)], real["test"].x[torch.arange(4)])
    more, row = past("test", 40, 2, 3), torch.tensor([WINDOWS])
    assert more.source is not None and more.source.shape[1:] == (8, 40, 40)
    assert (more.frames, more.source_frames, more.shape[0]) == (3, 8, 3)
    pushes = [past("test", 40, 2 + k, 1).source[row][0, -2:] for k in range(3)]  # type: ignore[index]
    assert torch.equal(more.source[row][0, 2:], torch.cat(pushes))


def test_they_are_loaded_and_written(tmp_path: Path, real: dict[str, DataSet]) -> None:
    data, rows = real["test"], torch.arange(6)
    loader = Loader(data, fit_spec(data, (SIDE, SIDE)), 4, 0, condition="images", workers=0)
    _, y = next(loader)
    assert y is not None and y.shape == (4, PAST + 2, SIDE, SIDE)
    assert -1 <= y.min() and y.max() <= 1
    assert data.source is not None
    few = DataSet("few", data.x[rows], source=data.source[rows], source_frames=data.source_frames)
    write_hdf5(tmp_path / "a.h5", few)
    source = read_hdf5(tmp_path / "a.h5", "train").source
    assert source is not None and torch.equal(source[rows], few.source[rows])  # type: ignore[index]


def test_pushes_are_not_mirrored(tmp_path: Path, real: dict[str, DataSet]) -> None:
    """Also of a file; frames alone may be."""
    first = torch.arange(8)
    data = real["test"]
    assert data.source is not None
    few = replace(data, x=data.x[first], source=data.source[first])
    write_hdf5(tmp_path / "p.h5", few)
    for pairs in (data, read_hdf5(tmp_path / "p.h5", "train")):
        spec = fit_spec(pairs, (32, 32))
        with pytest.raises(UserError, match="--flip would mirror the pictures of '.*' and not"):
            Loader(pairs, spec, 2, 0, condition="images", flip=True)
        Loader(pairs, spec, 2, 0, flip=True)
        Loader(pairs, spec, 2, 0, condition="images")
    moving = open_dataset("moving", None, "test")
    Loader(moving, fit_spec(moving, (32, 32)), 2, 0, condition="images", flip=True)
