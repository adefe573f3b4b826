"""Samples by class."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from ganlib.training.extensions.sample_grid import class_rows, parts, shown_classes

Make = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("small_methods")


@pytest.mark.parametrize("statistics", ["running", "standing:2", "batch"])
def test_a_column_has_the_same_latents_and_a_row_its_class(
    statistics: str, make_updater: Make
) -> None:
    updater = make_updater("labelled")
    stream = updater.sample_stream(3, statistics=statistics)
    rows = list(class_rows(stream, [2, 0], 9))
    assert [(name, len(x)) for name, x in rows] == [("c", 5), ("a", 4)]
    for k, (_, x) in zip((2, 0), rows, strict=True):
        expected = torch.cat(list(updater.sample(len(x), 3, y=k, statistics=statistics)))
        torch.testing.assert_close(x, expected, rtol=1e-4, atol=1e-5)
    z, _ = updater.latents(range(4), 3)
    torch.testing.assert_close(rows[1][1], updater.decode(z, torch.zeros(4, dtype=torch.int64)))


def test_standing_statistics_are_computed_once(
    make_updater: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    updater, made = make_updater("labelled"), []
    monkeypatch.setattr(
        "ganlib.training.samples.bn_statistics.standing",
        lambda gen, run, n, passes: made.append(n) or gen,
    )
    assert (
        len(list(class_rows(updater.sample_stream(0, statistics="standing:5"), [0, 1, 2], 6))) == 3
    )
    assert made == [5]


def test_shares_are_equal_or_one_more_and_a_class_without_any_is_left_out(
    make_updater: Make,
) -> None:
    assert parts(None, 3) == [8, 8, 8]
    assert parts(10, 3) == [4, 3, 3]
    stream = make_updater("labelled").sample_stream(0)
    assert [name for name, _ in class_rows(stream, [0, 1, 2], 2)] == ["a", "b"]


def test_of_many_classes_the_first_sixteen_are_shown_and_of_points_none(make_updater: Make) -> None:
    updater = make_updater("labelled")
    assert shown_classes(updater) == [0, 1, 2]
    updater.spec = replace(updater.spec, n_classes=1000, classes=())
    assert shown_classes(updater) == list(range(16))
    for other in ({"native": (2, 1, 1)}, {"frames": 2}):
        updater.spec = replace(updater.spec, **other)
        assert shown_classes(updater) == []
    assert shown_classes(make_updater("dcgan")) == []
