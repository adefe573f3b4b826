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


def test_numbers_of_a_column_have_the_decimals_that_good_ones_need(
    make: Make, the_table: Tables, texts: Texts
) -> None:
    """Of KID the least one, of recall not that of a generator that has collapsed."""
    make("a", 0, {1: {"KID": 0.00203, "FD": 120.5, "duplicates": 0.0, "recall": 0.0002}})
    make("b", 0, {1: {"KID": 0.0119, "FD": 16.77, "duplicates": 0.0, "recall": 0.4994}})
    assert texts(the_table()) == {
        "a": ["120.50", "0.00203", "0.00", "0.000"],
        "b": ["16.77", "0.01190", "0.00", "0.499"],
    }


def test_the_interval_of_a_single_seed_is_that_of_its_samples(
    make: Make, score: Callable[..., dict[str, object]], the_table: Tables, texts: Texts
) -> None:
    """Over several seeds it is theirs."""
    for seed, value in enumerate((3.0, 5.0)):
        make("two", seed, {200: {"FD": {**score(value), "error": 0.25}}})
    make("one", 0, {200: {"FD": {**score(4.0), "error": 0.25}}})
    make("none", 0, {200: {"FD": score(6.0)}})
    table = the_table()
    assert texts(table) == {"two": ["4.00 ± 1.41"], "one": ["4.00 ± 0.25"], "none": ["6.00"]}
    assert "of one seed ± is the standard error over draws of its samples" in table.caption
