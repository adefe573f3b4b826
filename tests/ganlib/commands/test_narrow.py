"""Tables on narrow terminals: nothing is cut off, and each number stays with its titles."""

import io

import pytest
from rich.console import Console
from rich.measure import Measurement
from rich.text import Text

from ganlib.commands._narrow import fitting
from ganlib.commands._terminal import WIDEST


def lines(rows: int, columns: int) -> list[list[Text]]:
    titles = ["method", *(f"score-{j}" for j in range(columns))]
    body = [[f"m{i}", *(f"{i}.{j:03d}" for j in range(columns))] for i in range(rows)]
    return [[Text(word) for word in line] for line in (titles, *body)]


def printed(rows: int, columns: int, width: int) -> list[list[list[str]]]:
    """The words of every line of every table."""
    tables = []
    for grid in fitting(lines(rows, columns), width):
        console = Console(file=io.StringIO(), width=width)
        console.print(grid)
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
        assert "…" not in text and max(map(len, text.splitlines())) <= width
        tables.append([words for line in text.splitlines() if (words := line.split())])
    return tables


def test_what_fits_stays_as_it_is() -> None:
    (table,) = printed(2, 3, 60)
    assert table[0] == ["method", "score-0", "score-1", "score-2"]
    assert table[-1] == ["m1", "1.000", "1.001", "1.002"]


def test_of_many_scores_each_has_a_line() -> None:
    (table,) = printed(2, 20, 60)
    assert table[0] == ["method", "m0", "m1"]
    assert [line[0] for line in table[2:]] == [f"score-{j}" for j in range(20)]
    assert table[5] == ["score-3", "0.003", "1.003"]


@pytest.mark.parametrize(("rows", "columns"), [(30, 8), (7, 30), (30, 30)])
def test_columns_that_do_not_fit_stand_below_in_another_table(rows: int, columns: int) -> None:
    tables = printed(rows, columns, 60)
    assert len(tables) > 1 and len({table[0][0] for table in tables}) == 1
    found = set()
    for top, _, *body in tables:
        assert len(top) > 1
        for first, *numbers in body:
            for title, number in zip(top[1:], numbers, strict=True):
                method, score = sorted((first, title))
                assert number == f"{method[1:]}.{int(score[6:]):03d}"
                found.add((method, score))
    assert len(found) == rows * columns


def test_a_table_that_fits_without_its_edge_is_one() -> None:
    console = Console(file=io.StringIO(), width=WIDEST)
    (whole,) = fitting(lines(5, 3), WIDEST)
    exact = Measurement.get(console, console.options, whole).maximum
    assert [t.show_edge for t in fitting(lines(5, 3), exact)] == [True]
    assert [t.show_edge for t in fitting(lines(5, 3), exact - 1)] == [False]
    assert [t.show_edge for t in fitting(lines(5, 3), exact - 4)] == [False]
    assert [t.show_edge for t in fitting(lines(5, 3), exact - 5)] == [False, False]
