"""How numbers look."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ganlib.evaluation.comparison.table import NOTHING, Table, figures, short

Make = Callable[..., Path]
Tables = Callable[..., Table]
Texts = Callable[[Table], dict[str, list[str]]]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, NOTHING), (0.5, "0.50"), (0.00034, "0.00034"), (9.96, "10"), (21017.2, "21,017")],
)
def test_costs_in_two_figures(value: float | None, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(15.0, "15.00"), (0.0465, "0.04650"), (0.0, "0.000"), (1234.5, "1234"), (-1.008, "-1.008")],
)
def test_single_values_in_four_figures(value: float, text: str) -> None:
    assert figures(value) == text


def test_numbers_of_a_column_have_the_decimals_that_its_smallest_needs(
    make: Make, the_table: Tables, texts: Texts
) -> None:
    make("a", 0, {1: {"KID": 0.00203, "FD": 120.5, "duplicates": 0.0}})
    make("b", 0, {1: {"KID": 0.0119, "FD": 16.77, "duplicates": 0.0}})
    assert texts(the_table()) == {
        "a": ["120.50", "0.00203", "0.00"],
        "b": ["16.77", "0.01190", "0.00"],
    }
