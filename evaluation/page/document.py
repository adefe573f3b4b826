"""The whole page, section by section."""

from collections.abc import Sequence

from ganlib.evaluation.comparison.table import Table
from ganlib.evaluation.page.classes import class_section
from ganlib.evaluation.page.curves import curve_section
from ganlib.evaluation.page.details import detail_section
from ganlib.evaluation.page.markup import e
from ganlib.evaluation.page.samples import sample_section
from ganlib.evaluation.page.scores import score_table
from ganlib.evaluation.page.style import style


def to_html(tables: Sequence[Table]) -> str:
    """The whole page: tables, curves, samples, protocols and environment."""
    title = _title(tables)
    body = "\n".join(_section(table, alone=len(tables) == 1) for table in tables)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{e(title)}</title>
<style>{style()}</style>
</head>
<body>
<main>
<h1>{e(title)}</h1>
{body}
</main>
<footer><p>Made by <code>ganlib compare</code>. Scores stand in one column only if their protocols
are equal.</p></footer>
</body>
</html>
"""


def _title(tables: Sequence[Table]) -> str:
    names = {row.algorithm for table in tables for row in table.rows}
    what = f"{len(names)} algorithms" if len(names) > 1 else "".join(names)
    where = tables[0].dataset if len(tables) == 1 else f"{len(tables)} data sets"
    return f"{what} on {where}"


def _section(table: Table, alone: bool) -> str:
    return "\n".join(
        [
            "<section>" if alone else f"<section>\n<h2>{e(table.dataset)}</h2>",
            score_table(table),
            *(f"<p>{e(note)}</p>" for note in table.notes),
            class_section(table),
            curve_section(table),
            sample_section(table),
            detail_section(table),
            "</section>",
        ]
    )
