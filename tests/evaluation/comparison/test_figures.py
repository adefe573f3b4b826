"""Figures over seeds."""

import pytest

from ganlib.evaluation.comparison.table import figure
from ganlib.evaluation.comparison.writers import markdown


@pytest.mark.parametrize(
    ("values", "digits", "words"),
    [((1.0, 2.0, 4.0), 2, "2.33 +- 1.53"), ((1.0, 2.0), 0, "2 +- 1"), ((0.5,), 3, "0.500")],
)
def test_a_mean_and_how_far_its_values_spread(
    values: tuple[float, ...], digits: int, words: str
) -> None:
    assert figure(values, digits) == words


def test_a_table() -> None:
    assert markdown(["", "b"], [("1", "2")]) == "|  | b |\n| --- | --- |\n| 1 | 2 |"
    assert markdown(["a", "b"], [("1", "2")], 1) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"
