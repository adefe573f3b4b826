"""The table of scores."""

from ganlib.evaluation.comparison.figures import costs, headers, numbers
from ganlib.evaluation.comparison.table import Row, Table
from ganlib.evaluation.page.markup import e, key


def score_table(table: Table) -> str:
    """The table, which scrolls by itself where it is too wide."""
    head = "".join(_header(table, i, text) for i, text in enumerate(headers(table)))
    rows = "\n".join(_row(table, row) for row in table.rows)
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="Scores">
<table class="wide"><caption><span>{e(table.caption)}</span></caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody></table></div>"""


def _header(table: Table, place: int, text: str) -> str:
    column = table.columns[place - 1] if 0 < place <= len(table.columns) else None
    better = f' title="{column.better} is better"' if column and column.better else ""
    return f'<th scope="col"{better}>{e(text)}</th>'


def _row(table: Table, row: Row) -> str:
    badge = "" if row.done else '<span class="badge">unfinished</span>'
    scores = "".join(_score(table, row, i) for i in range(len(row.cells)))
    rest = "".join(f'<td class="cost">{e(text)}</td>' for text in costs(table, row))
    return f'<tr><th scope="row">{key(table, row)}{e(row.label)}{badge}</th>{scores}{rest}</tr>'


def _score(table: Table, row: Row, place: int) -> str:
    mean, deviation = numbers(table, row, place)
    cell = row.cells[place]
    best = cell is not None and cell.best
    mark = '<span class="hidden"> (best)</span>' if best else ""
    more = f' <span class="soft">{e(deviation)}</span>' if deviation else ""
    return f'<td class="{"best" if best else "score"}">{e(mean)}{more}{mark}</td>'
