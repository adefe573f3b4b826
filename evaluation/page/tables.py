"""The tables of each class's scores, one for each row of the table of scores."""

from collections.abc import Mapping
from statistics import fmean
from typing import TypeAlias

from ganlib.evaluation.comparison.table import Row, Table

Values: TypeAlias = tuple[str, Mapping[str, float]]
"""A title, and what stands below it: a number for each class."""


def class_tables(table: Table) -> list[tuple[Row, list[Values]]]:
    """The columns of every row that has scores with values by class."""
    return [(row, columns) for row in table.rows if (columns := _columns(table, row))]


def _columns(table: Table, row: Row) -> list[Values]:
    """A column for each score, and after it one for what real images reach in its place."""
    columns = []
    for column in table.columns:
        scores = [score for _, scored in row.entries if (score := column.of(scored))]
        columns.append((column.header, _means([s.by_class for s in scores])))
        columns.append(("of real images", _means([s.real for s in scores])))
    return [(title, numbers) for title, numbers in columns if numbers]


def _means(several: list[Mapping[str, float]]) -> dict[str, float]:
    """Of the classes that all of them have."""
    first, *others = several or [{}]
    shared = [name for name in first if all(name in other for other in others)]
    return {name: fmean(each[name] for each in several) for name in shared}
