"""Canvases twice as wide as high."""

from math import ceil

import numpy as np
import torch
from click.testing import CliRunner

from ganlib.commands.data import command
from ganlib.common.data import Loader, fit_spec
from ganlib.common.datasets.wardrobe import _wardrobe
from ganlib.common.query import DataQuery, open_dataset
from ganlib.common.synthetic.canvas import AREA


def test_size_is_the_height() -> None:
    for size in (None, 40):
        high, rows = size or 64, torch.tensor([5, 0])
        data = open_dataset("wardrobe_wide", None, "test", size)
        assert data.shape == (3, high, 2 * high) and data.source is not None
        x, ids = data.x[rows], data.source[rows]
        assert x.shape[2:] == ids.shape[2:] == (high, 2 * high)
        assert 0.1 < (ids[:, 1] > 0).double().mean() < 0.9
        assert torch.equal(data.x[rows.flip(0)], x.flip(0))
    assert DataQuery("wardrobe_wide", None, "test", 40).stream().shape == (3, 40, 80)


def test_items_lie_all_over_it() -> None:
    wardrobe, _ = _wardrobe("test", 2)
    placed = [wardrobe.placed(64, index) for index in range(100)]
    numbers = [len(one) for one in placed]
    worth = 2 * 64**2 / AREA
    assert abs(np.mean(numbers) - worth) < 0.1 * worth
    for some in placed:
        rows, columns = ceil((len(some) / 2) ** 0.5), ceil((len(some) * 2) ** 0.5)
        assert rows * columns >= len(some)
    middles = np.array(
        [(one.top + one.side / 2, one.left + one.side / 2) for some in placed for one in some]
    )
    for axis, side in enumerate((64, 128)):
        quarters = np.histogram(middles[:, axis], 4, (0, side))[0] / len(middles)
        assert (quarters > 0.18).all() and (quarters < 0.32).all()


def test_maps_say_what_the_image_shows() -> None:
    """Where a map says ground, the image has the colours of its row at both ends or a shadow."""
    data, row = open_dataset("wardrobe_wide", None, "test"), torch.tensor([3])
    assert data.source is not None
    x, (classes, instances) = data.x[row][0].double(), data.source[row][0]
    assert torch.equal(classes == 0, instances == 0) and classes.max() <= 10
    ground = x.masked_fill(classes != 0, -1).amax(2, keepdim=True)
    assert (x <= ground + 1).all(0)[classes == 0].all()
    assert len(instances.unique()) - 1 <= len(_wardrobe("test", 2)[0].placed(64, 3))


def test_it_is_loaded_and_told() -> None:
    data = open_dataset("wardrobe_wide", None, "test", 32)
    spec = fit_spec(data, (32, 64))
    assert (spec.image, spec.source) == ((3, 32, 64), (2, 32, 64))
    x, y = next(Loader(data, spec, 3, 0, condition="images", flip=True, workers=0))
    assert y is not None and x.shape == (3, 3, 32, 64) and y.shape == (3, 2, 32, 64)
    told = CliRunner().invoke(command, ["info", "wardrobe_wide", "--size", "16"]).output
    assert "test: 10,000 images, 32x16 RGB" in told
