"""Tables as Markdown, CSV and JSON."""

import csv
import html
import io
import json
import re
from collections.abc import Iterable, Sequence
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
    lines += [_bar(head), _bar(["---"] + ["---:"] * (len(head) - 1))]
    for row in table.rows:
        scores = [f"**{text}**" if best else text for text, best in table.shown(row)]
        lines.append(_bar([_safe(row.title), *scores, *table.costs(row)]))
    lines += ["", *(f"{_safe(note)}  " for note in table.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _bar(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _safe(text: str) -> str:
    """Text in which Markdown sees no markup."""
    escaped = html.escape(printable(" ".join(text.split())), quote=False)
    return re.sub(r"([\\`*\[\]|])", r"\\\1", escaped)


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
