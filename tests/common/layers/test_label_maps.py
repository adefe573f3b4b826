"""common/layers/label_maps.py against loops in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError
from ganlib.common.layers.label_maps import (
    Shown,
    ShownWithEdges,
    check_sides,
    class_planes,
    instance_edges,
)

IMAGE = (3, 8, 8)


def test_a_pixel_is_1_in_the_plane_of_its_class() -> None:
    random = np.random.default_rng(0)
    ids = random.integers(0, 5, (3, 2, 4, 6)).astype(np.int32)
    expected = np.zeros((3, 4, 4, 6))
    for n in range(3):
        for i in range(4):
            for j in range(6):
                if ids[n, 0, i, j] < 4:  # the fifth class has no plane
                    expected[n, ids[n, 0, i, j], i, j] = 1
    found = class_planes(torch.from_numpy(ids), 4, torch.zeros(1, dtype=torch.float64))
    assert found.dtype == torch.float64 and np.array_equal(found.numpy(), expected)


def test_pictures_are_shown_as_they_are_and_maps_by_their_classes() -> None:
    y = torch.rand(2, 1, 8, 8)
    shown = Shown(DataSpec(IMAGE, IMAGE, source=(1, 8, 8)))
    assert shown.channels == 1 and shown(y, torch.zeros(1)) is y
    maps = Shown(DataSpec(IMAGE, IMAGE, n_classes=3, source=(2, 8, 8), source_kind="ids"))
    ids = torch.randint(3, (2, 2, 8, 8), dtype=torch.int32)
    planes = maps(ids, torch.zeros(1, dtype=torch.bfloat16))
    assert planes.dtype == torch.bfloat16 and planes.shape == (2, maps.channels, 8, 8)
    assert torch.equal(planes.argmax(1), ids[:, 0].long()) and planes.sum(1).eq(1).all()


def test_what_cannot_be_shown() -> None:
    with pytest.raises(UserError, match="translates images: give a --source"):
        Shown(DataSpec(IMAGE, IMAGE))
    with pytest.raises(UserError, match="no names of classes"):
        Shown(DataSpec(IMAGE, IMAGE, source=(2, 8, 8), source_kind="ids"))


def test_edges_are_both_sides_of_a_border_between_instances() -> None:
    random = np.random.default_rng(0)
    ids = random.integers(0, 3, (2, 2, 5, 7)).astype(np.int32)
    expected = np.zeros((2, 1, 5, 7))
    for n in range(2):
        for i in range(5):
            for j in range(7):
                for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                    inside = 0 <= a < 5 and 0 <= b < 7
                    if inside and ids[n, 1, a, b] != ids[n, 1, i, j]:
                        expected[n, 0, i, j] = 1
    found = instance_edges(torch.from_numpy(ids), torch.zeros(1))
    assert 0 < expected.mean() < 1 and np.array_equal(found.numpy(), expected)


def test_maps_are_shown_with_edges_and_pictures_without() -> None:
    y = torch.rand(2, 1, 8, 8)
    shown = ShownWithEdges(DataSpec(IMAGE, IMAGE, source=(1, 8, 8)))
    assert shown.channels == 1 and shown(y, torch.zeros(1)) is y
    spec = DataSpec(IMAGE, IMAGE, n_classes=3, source=(2, 8, 8), source_kind="ids")
    ids = torch.randint(3, (2, 2, 8, 8), dtype=torch.int32)
    for known in (True, None):  # None: in snapshots of before that was asked
        maps = ShownWithEdges(replace(spec, instances=known))
        planes = maps(ids, torch.zeros(1, dtype=torch.bfloat16))
        assert planes.dtype == torch.bfloat16 and planes.shape == (2, maps.channels, 8, 8)
        assert torch.equal(planes[:, :3], class_planes(ids, 3, planes)) and maps.channels == 4
        assert torch.equal(planes[:, 3:], instance_edges(ids, planes))
    alone = ShownWithEdges(replace(spec, instances=False))
    assert alone.channels == 3 and torch.equal(alone(ids, planes), planes[:, :3])


def test_sides_that_do_not_divide_are_a_sentence() -> None:
    check_sides(torch.zeros(1, 1, 8, 16), 8)
    words = "A source of 12x9 pixels cannot be translated: sides that are multiples of 8 can"
    with pytest.raises(UserError, match=f"^{words}, such as 16x16.$"):
        check_sides(torch.zeros(1, 1, 9, 12), 8)
