"""Scores of each class, a table for each row of the comparison."""

from collections.abc import Mapping
from statistics import fmean
from typing import NamedTuple

from ganlib.evaluation.comparison.figures import NOTHING
from ganlib.evaluation.comparison.table import Row, Table
from ganlib.evaluation.page.markup import e, key


class Values(NamedTuple):
    """What stands below one title: a number for each class."""

    title: str
    numbers: Mapping[str, float]


def class_section(table: Table) -> str:
    """The tables, folded away; "" if no score has values by class."""
    found = [(row, columns) for row in table.rows if (columns := _columns(table, row))]
    if not found:
        return ""
    parts = ["<h3>Scores by class</h3>"]
    if any(len(row.entries) > 1 for row, _ in found):
        parts.append("<p>Means over the training seeds.</p>")
    return "\n".join([*parts, *(_folded(table, row, columns) for row, columns in found)])


def _columns(table: Table, row: Row) -> list[Values]:
    """A column for each score, and after it one for what real images reach in its place."""
    columns = []
    for column in table.columns:
        found = (scored and scored.under(column.name, column.hash) for _, scored in row.entries)
        scores = [score for score in found if score]
        columns.append(Values(column.header, _means([s.by_class for s in scores])))
        columns.append(Values("of real images", _means([s.real for s in scores])))
    return [column for column in columns if column.numbers]


def _means(several: list[Mapping[str, float]]) -> dict[str, float]:
    """Of the classes that all of them have."""
    first, *others = several or [{}]
    shared = [name for name in first if all(name in other for other in others)]
    return {name: fmean(each[name] for each in several) for name in shared}


def _folded(table: Table, row: Row, columns: list[Values]) -> str:
    titles = ("class", *(column.title for column in columns))
    head = "".join(f'<th scope="col">{e(title)}</th>' for title in titles)
    classes = dict.fromkeys(name for column in columns for name in column.numbers)
    rows = "\n".join(_row(name, columns) for name in classes)
    return f"""<details><summary>{key(table, row)}{e(row.title)}</summary>
<div class="scroll" tabindex="0" role="region" aria-label="By class: {e(row.title)}"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody></table></div></details>"""


def _row(name: str, columns: list[Values]) -> str:
    numbers = (column.numbers.get(name) for column in columns)
    cells = "".join(f"<td>{NOTHING if n is None else f'{n:.3f}'}</td>" for n in numbers)
    return f'<tr><th scope="row">{e(name)}</th>{cells}</tr>'
