"""Which evaluation of which runs counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganlib.evaluation.comparison.figures import costs
from ganlib.evaluation.comparison.table import Table

Make = Callable[..., Path]
Tables = Callable[..., Table]
Texts = Callable[[Table], dict[str, list[str]]]
Score = Callable[..., dict[str, Any]]


def test_a_repeated_run_is_no_further_seed(make: Make, the_table: Tables, texts: Texts) -> None:
    make("dcgan", 0, {200: {"FD": 5.0}})
    make("dcgan", 0, {200: {"FD": 6.0}}, name="seed0-2", out="elsewhere", gpu=1)
    make("dcgan", 0, name="seed0-3")
    table = the_table()
    assert texts(table) == {"dcgan": ["6.00"]}
    assert len(table.notes) == 2
    assert all("left out" in n and n.endswith("seed0-2 repeats it.") for n in table.notes)


def test_the_last_evaluation_counts_or_the_best_by_the_first_score(
    make: Make, the_table: Tables, texts: Texts
) -> None:
    course = {100: {"FD": 4.0, "IS": 5.0}, 200: {"FD": 3.0, "IS": 4.0}, 300: {"FD": 6.0, "IS": 9.0}}
    make("dcgan", 0, course)
    assert texts(the_table()) == {"dcgan": ["6.00", "9.00"]}
    table = the_table(best=True)
    assert texts(table) == {"dcgan": ["3.00", "4.00"]}
    assert "best evaluation by FD" in table.caption
    assert costs(table, table.rows[0])[1] == "200"


def test_a_frechet_distance_comes_first_wherever_it_stands_in_the_file(
    make: Make, the_table: Tables
) -> None:
    names = ("IS10k", "FD-a10k-train", "precision", "FD-a10k-test")
    make("dcgan", 0, {100: dict.fromkeys(names, 2.0), 200: dict.fromkeys(names, 3.0)})
    table = the_table(best=True)
    assert [c.name for c in table.columns] == [names[1], names[3], names[0], names[2]]
    assert "best evaluation by FD-a10k-train" in table.caption
    assert costs(table, table.rows[0])[1] == "100"


def test_the_best_is_taken_among_comparable_evaluations(
    make: Make, the_table: Tables, texts: Texts, score: Score
) -> None:
    course = {100: {"IS": score(9.0, "old")}, 200: {"IS": 5.0}, 300: {"IS": 4.0}}
    make("dcgan", 0, course)
    assert texts(the_table(best=True)) == {"dcgan": ["5.00"]}
