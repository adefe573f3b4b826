"""The ends and the ticks of axes."""

import numpy as np
import pytest

from ganlib.evaluation.page.axes import iterations, limits, ticks


def test_an_axis_shows_everything_unless_outliers_would_flatten_it() -> None:
    values = list(np.linspace(2, 3, 200))
    low, high = limits(values)
    assert 1.9 < low < 2 and 3 < high < 3.1
    low, high = limits([400.0, *values])
    assert 1.9 < low < 2.1 and 2.9 < high < 3.1
    low, high = limits([40.0, *values[:10]])
    assert high > 40
    low, high = limits([1.0, 1.0 + 1e-9])
    assert high - low > 0.003
    assert limits([5.0]) == (4.5, 5.5) and limits([0.0, 0.0]) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 60_000, [0, 20_000, 40_000, 60_000]),
        (-1.2, 3.9, [0, 2]),
        (-1.1, 2.8, [-1, 0, 1, 2]),
        (0.021, 0.029, [0.022, 0.024, 0.026, 0.028]),
    ],
)
def test_ticks_are_round(low: float, high: float, wanted: list[float]) -> None:
    np.testing.assert_allclose(ticks(low, high, 4), wanted)


@pytest.mark.parametrize("values", [[1e-322], [5e-324, 1e-323], [-1e-310, 1e-320], [0.0]])
def test_numbers_too_small_to_be_divided_have_an_axis(values: list[float]) -> None:
    low, high = limits(values)
    assert low < min(values) <= max(values) < high
    assert len(ticks(low, high)) >= 4


def test_an_axis_of_unequal_runs_is_logarithmic() -> None:
    ends = [[(100.0, 0.0), (1000.0, 0.0)], [(200.0, 0.0), (10_000.0, 0.0)]]
    axis = iterations(ends)
    assert [axis.place(x) for x in (0, 100, 1000, 10_000)] == pytest.approx([0, 0, 0.5, 1])
    assert [text for _, text in axis.ticks()] == ["100", "300", "1k", "3k", "10k"]
    assert [value for value, _ in axis.ticks()] == [100, 300, 1000, 3000, 10_000]
    equal = iterations([[(100.0, 0.0), (5000.0, 0.0)], ends[1]])
    assert [equal.place(x) for x in (0, 2500, 10_000)] == [0, 0.25, 1]
    assert [text for _, text in equal.ticks()] == ["0", "5k", "10k"]
