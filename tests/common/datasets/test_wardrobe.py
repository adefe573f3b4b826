"""Canvases: functions of (seed, number), whose maps and images agree."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from ganlib.common.data import DataSet, Loader, fit_spec
from ganlib.common.data.loader import WORKERS
from ganlib.common.datasets.wardrobe import _wardrobe
from ganlib.common.errors import UserError
from ganlib.common.formats.hdf5 import read_hdf5
from ganlib.common.formats.hdf5_writing import write_hdf5
from ganlib.common.query import open_dataset
from ganlib.common.synthetic.canvas import AREA, Wardrobe, masks

SIDE = 28


def square(value: int) -> np.ndarray:
    """An item that covers the middle half of each side."""
    item = np.zeros((SIDE, SIDE), np.uint8)
    item[7:21, 7:21] = value
    return item


LABELS = [3, 0, 5]


@pytest.fixture
def squares() -> Wardrobe:
    return Wardrobe(np.stack([square(v) for v in (255, 100, 180)]), LABELS, 0)


@pytest.fixture(scope="module")
def real() -> dict[str, DataSet]:
    return {split: open_dataset("wardrobe", None, split) for split in ("train", "test")}


def test_a_function_of_seed_and_number(squares: Wardrobe) -> None:
    again = Wardrobe(squares.items, LABELS, 0)
    other = Wardrobe(squares.items, LABELS, 1)
    for index in (7, 0, 49_999):
        assert np.array_equal(squares.image(64, index), again.image(64, index))
        assert np.array_equal(squares.ids(64, index), again.ids(64, index))
        assert not np.array_equal(squares.image(64, index), other.image(64, index))
        assert not np.array_equal(squares.image(64, index), squares.image(64, index + 1))


@pytest.mark.parametrize("size", [28, 64, 200, 512])
def test_the_number_of_items_grows_with_the_area(squares: Wardrobe, size: int) -> None:
    numbers = [len(squares.placed(size, index)) for index in range(50)]
    worth = max(1, size**2 / AREA)
    assert all(0.75 * worth - 1 <= n <= 1.25 * worth + 1 for n in numbers)
    assert abs(np.mean(numbers) - worth) <= 0.1 * worth + 0.1
    assert min(numbers) >= 1


def test_items_keep_half_to_twice_their_pixels(squares: Wardrobe) -> None:
    placed = [one for index in range(20) for one in squares.placed(256, index)]
    sides = np.array([one.side for one in placed])
    assert (sides.min(), sides.max()) == (SIDE // 2, 2 * SIDE)
    assert abs(np.mean(np.log2(sides / SIDE))) < 0.1
    for name, count in (("item", 3), ("tint", 48)):
        assert {getattr(one, name) for one in placed} == set(range(count))


@pytest.mark.parametrize("size", [30, 64, 150])
def test_no_part_of_a_canvas_stays_empty(squares: Wardrobe, size: int) -> None:
    """Of an item there is always some on the canvas, and not two middles in one cell."""
    for index in range(20):
        placed = squares.placed(size, index)
        step = size / int(np.ceil(len(placed) ** 0.5))
        middles = [(one.top + one.side / 2, one.left + one.side / 2) for one in placed]
        # rounded to half a pixel each
        assert all(-1 <= m <= size + 1 for middle in middles for m in middle)
        cells = [tuple(int(m // step) for m in middle) for middle in middles]
        assert len(set(cells)) >= 0.8 * len(placed) - 1  # some are rounded out of theirs


def test_maps_say_what_was_laid_down(squares: Wardrobe) -> None:
    """Held against squares whose edges are known to half a pixel."""
    for index in range(10):
        placed = squares.placed(96, index)
        classes, instances = squares.ids(96, index)
        expected = np.zeros((96, 96), int)
        edges = np.zeros((96, 96), bool)
        for number, one in enumerate(placed, 1):
            low, high = one.side / 4, 3 * one.side / 4
            down, across = (np.arange(96) + 0.5 - corner for corner in (one.top, one.left))
            inside = [(low < at) & (at < high) for at in (down, across)]
            expected[np.ix_(*inside)] = number
            near = [(low - 1.5 < at) & (at < high + 1.5) for at in (down, across)]
            deep = [(low + 1.5 < at) & (at < high - 1.5) for at in (down, across)]
            edges[np.ix_(*near)] = True
            edges[np.ix_(*deep)] = False
        assert edges.mean() < 0.5
        assert np.array_equal(instances[~edges], expected[~edges])
        of = np.array([0, *(1 + LABELS[one.item] for one in placed)])
        assert np.array_equal(classes, of[instances])
        assert (classes == 0).sum() == (instances == 0).sum() > 0


def test_the_image_shows_what_the_maps_say(squares: Wardrobe) -> None:
    for index in range(10):
        image, (_, instances) = squares.image(96, index), squares.ids(96, index)
        for number, one in enumerate(squares.placed(96, index), 1):
            here = instances == number
            deep = here.copy()
            for axis, step in ((0, 1), (0, -1), (0, 2), (0, -2), (1, 1), (1, -1), (1, 2), (1, -2)):
                deep &= np.roll(here, step, axis)
            deep[[0, 1, -1, -2]] = deep[:, [0, 1, -1, -2]] = False
            expected = squares.tints[one.tint][squares.items[one.item].max()].astype(int)
            seen = image[:, deep].astype(int)  # a shadow of what lies above may fall on it
            assert (seen <= expected[:, None] + 30).all()
            assert not deep.any() or (np.abs(seen - expected[:, None]) <= 30).all(0).mean() > 0.2


def test_a_mask_has_no_holes_and_no_traces() -> None:
    shirt = square(200)
    shirt[10:14, 10:14] = 0  # a print as black as the ground
    shirt[0, :] = 10
    (mask,) = masks(shirt[None])
    assert np.array_equal(mask, 255 * (square(1) > 0))
    trousers = square(200)
    trousers[14:21, 12:16] = 0  # between the legs
    assert np.array_equal(masks(trousers[None])[0], 255 * (trousers > 0))


def test_the_real_ones(real: dict[str, DataSet]) -> None:
    for split, n in (("train", 50_000), ("test", 10_000)):
        data, rows = real[split], torch.tensor([3, 0])
        assert data.shape == (3, 64, 64) and len(data) == n and data.y is None
        assert data.source is not None and data.source.shape == (n, 2, 64, 64)
        assert data.classes[:2] == ("ground", "T-shirt/top") and len(data.classes) == 11
        x, ids = data.x[rows], data.source[rows]
        assert (x.dtype, ids.dtype) == (torch.uint8, torch.int32)
        assert x.shape == (2, 3, 64, 64) and ids.shape == (2, 2, 64, 64)
        assert torch.equal(data.x[rows.flip(0)], x.flip(0))
        assert ids[:, 0].max() <= 10 and ids[:, 1].max() >= 1
        assert 0.1 < (ids[:, 1] > 0).double().mean() < 0.9
    train, test = (real[split].x[torch.arange(4)] for split in real)
    assert not torch.equal(train, test)
    assert open_dataset("wardrobe", None, "test", 40).x[torch.tensor([9_999])].shape[2:] == (40, 40)
    with pytest.raises(UserError, match="no split 'valid'"):
        open_dataset("wardrobe", None, "valid")


def test_splits_have_no_item_in_common() -> None:
    items = [{one.tobytes() for one in _wardrobe(s, 1)[0].items} for s in ("train", "test")]
    assert len(items[0]) == 60_000 and len(items[1]) == 10_000 and not items[0] & items[1]


@pytest.mark.skipif(WORKERS == 0, reason="no safe forks here")
@pytest.mark.parametrize("condition", [None, "images"])
def test_any_number_of_readers_gives_the_same(condition: str, real: dict[str, DataSet]) -> None:
    data = real["test"]
    loaders = [
        Loader(data, fit_spec(data, (64, 64)), 8, 3, condition=condition, flip=True, workers=n)  # type: ignore[arg-type]
        for n in (0, 1, 2)
    ]
    for _ in range(4):
        batches = [next(loader) for loader in loaders]
        for a, b in pairwise(batches):
            assert torch.equal(a.x, b.x)
            assert (a.y is None) == (condition is None)
            assert a.y is None or b.y is None or torch.equal(a.y, b.y)
    for loader in loaders:
        loader.close()


def test_canvases_can_be_written(tmp_path: Path, real: dict[str, DataSet]) -> None:
    data = real["test"]
    rows = torch.arange(5)
    assert data.source is not None
    few = DataSet("few", data.x[rows], None, data.source[rows], data.classes, source_kind="ids")
    write_hdf5(tmp_path / "a.h5", few, sides=(32,))
    read = read_hdf5(tmp_path / "a.h5", "train")
    assert isinstance(read.source, torch.Tensor) and torch.equal(read.source, data.source[rows])
    assert read.classes == data.classes and list(read.smaller) == [32]
