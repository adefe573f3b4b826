"""The table of scores, and one of each class's for each row of it."""

from collections.abc import Iterator, Mapping
from functools import partial
from statistics import fmean
from typing import TypeAlias

from ganlib.evaluation.comparison.table import NOTHING, Row, Table
from ganlib.evaluation.page.style import e, key, scrolling

MOST = 10  # scores beside each other; more have a line each


def score_table(table: Table) -> str:
    """The table, which scrolls by itself where it is too wide: a line for each row, or for each
    score where there are many of few rows.
    """
    upright = MOST < len(table.columns) > len(table.rows)
    first, *titles = (partial(_title, table, i, text) for i, text in enumerate(table.headers))
    labels = [partial(_label, table, row) for row in table.rows]
    body = [list(_cells(table, row)) for row in table.rows]
    if upright:
        titles, labels, body = labels, titles, list(map(list, zip(*body, strict=True)))
    head = "".join(title("col") for title in (first, *titles))
    lines = [label("row") + "".join(cells) for label, cells in zip(labels, body, strict=True)]
    caption = f"<caption><span>{e(table.caption)}</span></caption>"
    opening = f'\n<table class="{"tall" if upright else "wide"}">{caption}'
    return scrolling("Scores", head, [f"<tr>{line}</tr>" for line in lines], opening)


def _title(table: Table, place: int, text: str, scope: str) -> str:
    column = table.columns[place - 1] if 0 < place <= len(table.columns) else None
    better = f' title="{column.better} is better"' if column and column.better else ""
    # an arrow is never alone on a line
    words = e(text).replace(" ↓", "&nbsp;↓").replace(" ↑", "&nbsp;↑").replace(" →", "&nbsp;→")
    return f'<th scope="{scope}"{better}>{words}</th>'


def _label(table: Table, row: Row, scope: str) -> str:
    badge = "" if row.done else '<span class="badge">unfinished</span>'
    return f'<th scope="{scope}">{key(table, row)}{e(row.label)}{badge}</th>'


def _cells(table: Table, row: Row) -> Iterator[str]:
    for place, cell in enumerate(row.cells):
        mean, deviation = table.numbers(row, place)
        best = cell is not None and cell.best
        mark = '<span class="hidden"> (best)</span>' if best else ""
        more = f' <span class="soft">{e(deviation)}</span>' if deviation else ""
        yield f'<td class="{"best" if best else "score"}">{e(mean)}{more}{mark}</td>'
    for text in table.costs(row):
        yield f'<td class="cost">{e(text)}</td>'


Values: TypeAlias = tuple[str, Mapping[str, float]]
"""A title, and what stands below it: a number for each class."""


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
        scores = [score for _, scored in row.entries if (score := column.of(scored))]
        columns.append((column.header, _means([s.by_class for s in scores])))
        columns.append(("of real images", _means([s.real for s in scores])))
    return [(title, numbers) for title, numbers in columns if numbers]


def _means(several: list[Mapping[str, float]]) -> dict[str, float]:
    """Of the classes that all of them have."""
    first, *others = several or [{}]
    shared = [name for name in first if all(name in other for other in others)]
    return {name: fmean(each[name] for each in several) for name in shared}


def _folded(table: Table, row: Row, columns: list[Values]) -> str:
    titles = ("class", *(title for title, _ in columns))
    head = "".join(f'<th scope="col">{e(title)}</th>' for title in titles)
    classes = dict.fromkeys(name for _, numbers in columns for name in numbers)
    inside = scrolling(f"By class: {row.title}", head, [_row(name, columns) for name in classes])
    return f"<details><summary>{key(table, row)}{e(row.title)}</summary>\n{inside}</details>"


def _row(name: str, columns: list[Values]) -> str:
    own = (numbers.get(name) for _, numbers in columns)
    cells = "".join(f"<td>{NOTHING if n is None else f'{n:.3f}'}</td>" for n in own)
    return f'<tr><th scope="row">{e(name)}</th>{cells}</tr>'
