"""The whole page, section by section; the last says how the numbers were obtained."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganlib.evaluation.comparison.columns import flatten
from ganlib.evaluation.comparison.runs import Run
from ganlib.evaluation.comparison.table import NOTHING, Table, short
from ganlib.evaluation.page.curves import curve_section
from ganlib.evaluation.page.samples import sample_section
from ganlib.evaluation.page.style import e, labelled_runs, scrolling
from ganlib.evaluation.page.tables import class_section, score_table

STYLE = Path(__file__).with_name("style.css")


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
<style>
{STYLE.read_text("utf-8")}</style>
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
            _details(table),
            "</section>",
        ]
    )


def _details(table: Table) -> str:
    """What a reader who doubts a number asks for, folded away."""
    parts = ["<h3>How these numbers were obtained</h3>"]
    parts += [
        f"<details><summary>Protocol of {e(column.title)} "
        f'<span class="soft"><code>{e(column.hash)}</code></span></summary>'
        f"{_list(flatten(column.protocol))}</details>"
        for column in table.columns
    ]
    parts.append(f"<details><summary>Runs</summary>{_run_table(table)}</details>")
    runs = [run for _, _, run in labelled_runs(table) if not run.external]
    environment = _list(_environment(runs))
    parts.append(f"<details><summary>Environment</summary>{environment}</details>")
    return "\n".join(parts)


def _list(values: Mapping[str, Any]) -> str:
    if not values:
        return "<p>Not recorded.</p>"
    rows = (f"<dt>{e(name)}</dt><dd>{e(_text(value))}</dd>" for name, value in values.items())
    return f"<dl>{''.join(rows)}</dl>"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return NOTHING if value is None else str(value)


def _environment(runs: Sequence[Run]) -> dict[str, str]:
    """Of each fact its value, or its values with how many runs have them."""
    facts = dict.fromkeys(name for run in runs for name in run.environment)
    merged = {}
    for name in facts:
        counts = Counter(_text(run.environment.get(name)) for run in runs)
        several = "; ".join(f"{value} ({count} runs)" for value, count in counts.items())
        merged[name] = several if len(counts) > 1 else next(iter(counts))
    return merged


def _run_table(table: Table) -> str:
    titles = ("run", "seed", "scored at", "log up to", "hours", "device", "state")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    rows = [
        _run_row(run, f"{scored.iteration:,}" if scored else NOTHING)
        for row in table.rows
        for run, scored in row.entries
    ]
    note = "<p><code>--config RUN/config.yaml</code> repeats a run.</p>\n"
    return note + scrolling("Runs", head, rows)


def _run_row(run: Run, scored: str) -> str:
    device = str(run.environment.get("device") or run.device)
    log = ", ".join(filter(None, [f"{run.iteration:,}", run.stage(run.iteration)]))
    cells = (str(run.seed), scored, log, short(run.hours), device)
    middle = "".join(f"<td>{e(cell)}</td>" for cell in cells)
    state = "done" if run.done else "unfinished"
    return f'<tr><th scope="row"><code>{e(run.path)}</code></th>{middle}<td>{state}</td></tr>'
