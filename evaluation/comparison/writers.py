"""Tables as Markdown, LaTeX, CSV and JSON."""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import ganlib
from ganlib.common.io.console import printable
from ganlib.common.io.files import MARK
from ganlib.evaluation.comparison.table import Row, Table


def to_markdown(tables: Iterable[Table]) -> str:
    """The tables as GitHub shows them."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    lines = [f"## {_safe(table.dataset)}", "", _safe(table.caption), ""]
    head = [_safe(header) for header in table.headers]
    lines += [markdown(head, _body(table, _safe, "**{}**"), 1)]
    lines += ["", *(f"{_safe(note)}  " for note in [*table.notes, *table.protocols])]
    return "\n".join(lines).rstrip() + "\n"


def _body(table: Table, escape: Callable[[str], str], bold: str) -> Iterator[list[str]]:
    """The escaped cells of each row, the best scores as `bold` has them."""
    for row in table.rows:
        scores = [bold.format(escape(x)) if best else escape(x) for x, best in table.shown(row)]
        yield [escape(row.title), *scores, *map(escape, table.costs(row))]


def markdown(
    headers: Sequence[str], rows: Iterable[Sequence[str]], words: int | None = None
) -> str:
    """A table with a line for each row; what stands behind the first `words` columns are numbers,
    to the right.
    """
    rule = ["---:" if words is not None and k >= words else "---" for k in range(len(headers))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headers, rule, *rows))


def _safe(text: str) -> str:
    """Text in which Markdown sees no markup."""
    escaped = html.escape(printable(" ".join(text.split())), quote=False)
    return re.sub(r"([\\`*\[\]|])", r"\\\1", escaped)


def to_latex(tables: Iterable[Table]) -> str:
    """A `table` each, which needs the package booktabs."""
    return "\n".join(_latex(table) for table in tables)


def _latex(table: Table) -> str:
    head = " & ".join(_tex(header) for header in table.headers)
    rows = [" & ".join(cells) for cells in _body(table, _tex, r"\textbf{{{}}}")]
    notes = " ".join(map(_tex, [*table.notes, *table.protocols]))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(table.dataset)}. {_tex(table.caption)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.headers) - 1)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\par\smallskip{{\footnotesize {notes}\par}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


_TEX = str.maketrans(
    {
        **{character: rf"\{character}" for character in "&%$#_{}"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
        **{"[": "{[}", "]": "{]}", "±": r"$\pm$", "–": "--"},
        **{"↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\to$"},
    }
)
"""What LaTeX would take for markup, or has no letter for; a bracket that begins a row would be an
argument of the end of the row before.
"""


def _tex(text: str) -> str:
    """Text in which LaTeX sees no markup."""
    return printable(" ".join(text.split())).translate(_TEX)


def to_csv(tables: Sequence[Table]) -> str:
    """All tables as one, with plain numbers: a line per row, two fields per score; the last one
    names the version of ganlib.
    """
    names = dict.fromkeys(printable(column.title) for table in tables for column in table.columns)
    swept = dict.fromkeys(name for table in tables for name in table.swept)
    records = [_record(table, row, names, swept) for table in tables for row in table.rows]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_inert, records[0]))  # the names, which all of them have
    writer.writerows(map(_inert, record.values()) for record in records)
    return text.getvalue()


def _inert(value: Any) -> Any:
    """A number as it is; text with an apostrophe ahead where spreadsheets would run it."""
    runs = isinstance(value, str) and value.startswith(tuple("=+-@\t\r"))
    return f"'{value}" if runs else value


def _record(table: Table, row: Row, names: Iterable[str], swept: Iterable[str]) -> dict[str, Any]:
    scores: dict[str, Any] = {field: "" for name in names for field in (name, f"{name} std")}
    for column, cell in zip(table.columns, row.cells, strict=True):
        if cell is not None:
            name = printable(column.title)
            scores |= {name: cell.mean, f"{name} std": cell.std}
    return {
        "dataset": printable(table.dataset),
        "algorithm": printable(row.algorithm),
        "settings": printable(row.label.removeprefix(row.algorithm).strip(" ()")),
        "finished": "yes" if row.done else "no",
        "seeds": " ".join(str(run.seed) for run in row.runs),
        **scores,
        **dict.fromkeys(swept, ""),
        **table.values(row),
        "first_iteration": min(row.iterations),
        "last_iteration": max(row.iterations),
        "images_per_second": row.images_per_second,
        "hours": row.hours,
        "device": row.device,
        MARK: ganlib.__version__,
    }


def to_json(tables: Iterable[Table]) -> str:
    """Everything in the tables, the protocol of each column and the value of each seed too."""
    content = [
        {
            "dataset": table.dataset,
            "caption": table.caption,
            "notes": table.notes,
            "columns": [{**asdict(column), "title": column.title} for column in table.columns],
            "rows": [_object(table, row) for row in table.rows],
        }
        for table in tables
    ]
    return json.dumps({"software": MARK, "tables": content}, indent=2) + "\n"


def _object(table: Table, row: Row) -> dict[str, Any]:
    return {
        "label": row.label,
        "algorithm": row.algorithm,
        "settings": row.settings,
        "finished": row.done,
        "runs": [
            {"path": str(run.path), "seed": run.seed, "iteration": iteration, "hours": run.hours}
            for run, iteration in zip(row.runs, row.iterations, strict=True)
        ],
        "images_per_second": row.images_per_second,
        "hours": row.hours,
        "device": row.device,
        "scores": {
            column.title: cell and asdict(cell)
            for column, cell in zip(table.columns, row.cells, strict=True)
        },
    }
