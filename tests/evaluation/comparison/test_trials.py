"""Trials stand apart from a run's own scores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganlib.evaluation.comparison.reading import read_run
from ganlib.evaluation.comparison.table import Table
from ganlib.evaluation.page.document import to_html

Make = Callable[..., Path]
Score = Callable[..., dict[str, Any]]
Lines = Callable[..., None]
TheTable = Callable[..., Table]


def test_trials_have_columns_of_their_own_when_asked_for(
    make: Make, score: Score, lines: Lines, the_table: TheTable
) -> None:
    folder = make("dcgan", scores={100: {"FD": 9.0}, 200: {"FD": score(5.0, truncation=None)}})
    make("sngan", scores={200: {"FD": score(4.0, truncation=None)}})
    tried = [
        {"iteration": iteration, "scores": {"FD": score(value, key, truncation=psi)}}
        for iteration, value, key, psi in (
            (100, 1.0, "short", 0.5),  # not on the evaluation that counts
            (200, 2.0, "short", 0.5),
            (200, 3.0, "long", 0.7),
            (200, 2.5, "long", 0.7),  # the newest counts
        )
    ]
    lines(folder / "trials.jsonl", tried)
    assert [column.title for column in the_table().columns] == ["FD"]
    table = the_table(trials=True)
    titles = [f"FD (truncation: {psi})" for psi in ("none", 0.5, 0.7)]
    assert [column.title for column in table.columns] == titles
    values = {row.algorithm: [cell and cell.mean for cell in row.cells] for row in table.rows}
    assert values == {"sngan": [4.0, None, None], "dcgan": [5.0, 2.0, 2.5]}
    page = to_html([table])
    assert all(title in page for title in titles)


def test_of_a_run_without_scores_the_last_trials_are_shown(
    make: Make, score: Score, lines: Lines, the_table: TheTable
) -> None:
    folder = make()
    tried = [{"iteration": i, "scores": {"FD": score(float(i), "x")}} for i in (7, 9)]
    lines(folder / "trials.jsonl", tried)
    run = read_run(folder)
    assert run is not None and run.evaluations == []
    (row,) = the_table(trials=True).rows
    assert (row.iterations, row.cells[0] and row.cells[0].mean) == ([9], 9.0)
