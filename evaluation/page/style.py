"""Pieces of HTML that every section uses, and the classes of style.css that they have."""

from collections.abc import Iterable
from html import escape

from ganlib.common.io.console import printable
from ganlib.evaluation.comparison.runs import Run
from ganlib.evaluation.comparison.table import Row, Table

COLOURS = 6
"""So many the style sheet has, told apart by colour-blind readers too."""


def e(text: object) -> str:
    """Text from a file, as text of HTML."""
    return escape(printable(text), quote=True)


def scrolling(what: str, head: str, rows: Iterable[str], opening: str = "<table>") -> str:
    """A table that scrolls by itself where it is too wide; rows are tags, head those of one."""
    lines = "\n".join(rows)
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="{e(what)}">{opening}
<thead><tr>{head}</tr></thead>
<tbody>
{lines}
</tbody></table></div>"""


def key(table: Table, row: Row) -> str:
    """A short line in the colour of a row."""
    line = f'<line x1="0" y1="6" x2="24" y2="6" stroke-width="3" class="{classes_of(table, row)}"/>'
    return f'<svg class="key" viewBox="0 0 24 12" aria-hidden="true">{line}</svg>'


def classes_of(table: Table, row: Row) -> str:
    """A colour per label, from the seventh on with dots; of unfinished runs with dashes."""
    labels = list(dict.fromkeys(other.label for other in table.rows))
    place = labels.index(row.label)
    dash = "" if row.done else " dashed"
    return f"s{place % COLOURS}" + (dash or " dotted" * (place >= COLOURS))


def labelled_runs(table: Table) -> list[tuple[str, str, Run]]:
    """Every run of a table, after its classes and its name."""
    return [
        (classes_of(table, row), f"{row.title}, seed {run.seed}", run)
        for row in table.rows
        for run in row.runs
    ]
