"""The table of scores."""

from ganlib.evaluation.comparison.figures import costs, headers, numbers
from ganlib.evaluation.comparison.table import Row, Table
from ganlib.evaluation.page.markup import e, key

MOST = 10  # scores beside each other; more have a line each


def score_table(table: Table) -> str:
    """The table, which scrolls by itself where it is too wide: a line for each row, or for each
    score where there are many of few rows.
    """
    upright = MOST < len(table.columns) > len(table.rows)
    head, rows = _by_score(table) if upright else _by_row(table)
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="Scores">
<table class="{"tall" if upright else "wide"}"><caption><span>{e(table.caption)}</span></caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody></table></div>"""


def _by_row(table: Table) -> tuple[str, str]:
    head = "".join(_title(table, i, text, "col") for i, text in enumerate(headers(table)))
    lines = [
        _label(table, row, "row")
        + "".join(_score(table, row, i) for i in range(len(row.cells)))
        + "".join(map(_cost, costs(table, row)))
        for row in table.rows
    ]
    return head, _lines(lines)


def _by_score(table: Table) -> tuple[str, str]:
    first, *others = headers(table)
    n = len(table.columns)
    head = _title(table, 0, first, "col") + "".join(_label(table, r, "col") for r in table.rows)
    lines = [
        _title(table, i + 1, text, "row") + "".join(_score(table, row, i) for row in table.rows)
        for i, text in enumerate(others[:n])
    ]
    lines += [
        _title(table, i + n + 1, text, "row")
        + "".join(_cost(costs(table, row)[i]) for row in table.rows)
        for i, text in enumerate(others[n:])
    ]
    return head, _lines(lines)


def _lines(lines: list[str]) -> str:
    return "\n".join(f"<tr>{line}</tr>" for line in lines)


def _title(table: Table, place: int, text: str, scope: str) -> str:
    column = table.columns[place - 1] if 0 < place <= len(table.columns) else None
    better = f' title="{column.better} is better"' if column and column.better else ""
    # an arrow is never alone on a line
    words = e(text).replace(" ↓", "&nbsp;↓").replace(" ↑", "&nbsp;↑").replace(" →", "&nbsp;→")
    return f'<th scope="{scope}"{better}>{words}</th>'


def _label(table: Table, row: Row, scope: str) -> str:
    badge = "" if row.done else '<span class="badge">unfinished</span>'
    return f'<th scope="{scope}">{key(table, row)}{e(row.label)}{badge}</th>'


def _score(table: Table, row: Row, place: int) -> str:
    mean, deviation = numbers(table, row, place)
    cell = row.cells[place]
    best = cell is not None and cell.best
    mark = '<span class="hidden"> (best)</span>' if best else ""
    more = f' <span class="soft">{e(deviation)}</span>' if deviation else ""
    return f'<td class="{"best" if best else "score"}">{e(mean)}{more}{mark}</td>'


def _cost(text: str) -> str:
    return f'<td class="cost">{e(text)}</td>'
