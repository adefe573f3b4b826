"""Tables on terminals of any width: nothing is cut off, and each number stays with its titles."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from ganlib.commands._tables import print_table


def printed(rows: int, columns: int, width: int, terminal: bool = True) -> list[str]:
    """The lines below the title."""
    titles = ["method", *(f"score-{j}" for j in range(columns))]
    body = [[f"m{i}", *(f"{i}.{j:03d}" for j in range(columns))] for i in range(rows)]
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None)
    lines = [[Text(word) for word in line] for line in (titles, *body)]
    print_table("title", lines, ["note"], console=console)
    title, *found, note = file.getvalue().splitlines()
    assert (title, note) == ("title", "note")
    return found


def words(lines: list[str]) -> list[list[str]]:
    return [found for line in lines if (found := line.split())]


def test_what_fits_stays_as_it_is() -> None:
    table = words(printed(2, 3, 60))
    assert table[0] == ["method", "score-0", "score-1", "score-2"]
    assert table[-1] == ["m1", "1.000", "1.001", "1.002"]


def test_of_many_scores_each_has_a_line() -> None:
    table = words(printed(2, 20, 60))
    assert table[0] == ["method", "m0", "m1"]
    assert [line[0] for line in table[2:]] == [f"score-{j}" for j in range(20)]
    assert table[5] == ["score-3", "0.003", "1.003"]


@pytest.mark.parametrize(("rows", "columns"), [(30, 8), (7, 30)])
def test_what_does_not_fit_is_folded_and_nothing_is_left_out(rows: int, columns: int) -> None:
    lines = printed(rows, columns, 60)
    assert max(map(len, lines)) <= 60 and not any("…" in line for line in lines)
    digits = "".join(c for c in "".join(lines) if c.isdecimal())
    numbers = [f"{i}{j:03d}" for i in range(rows) for j in range(columns)]
    names = [str(j) for j in (*range(columns), *range(rows))]
    assert sorted(digits) == sorted("".join([*numbers, *names]))


def test_in_a_pipe_it_is_as_wide_as_it_has_to_be() -> None:
    table = words(printed(2, 40, 60, terminal=False))
    assert len(table[0]) == 41 and table[-1][-1] == "1.039"
