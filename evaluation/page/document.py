"""The whole page: page.html, filled in with what is computed of tables."""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ganlib.common.io.console import printable
from ganlib.evaluation.comparison.runs import Run
from ganlib.evaluation.comparison.table import NOTHING, Row, Table, short
from ganlib.evaluation.page.drawn import curves_of, key_of, looks_of, plan_of
from ganlib.evaluation.page.samples import Album, Embedded, pictures
from ganlib.evaluation.protocol import flatten

HERE = Path(__file__).parent
SCRIPTS = ("uplot/uPlot.iife.min.js", "panels.js", "reading.js")
LIMIT = 5_000_000
"""Characters of a page that is one file, as far as the newest pictures go into it."""


def to_html(tables: Sequence[Table]) -> str:
    """The whole page, which needs no other file: tables, curves, samples, protocols."""

    def page(album: Album) -> str:
        parts = [section_of(table, album, len(tables) > 1) for table in tables]
        return whole(title_of(tables), parts, data_of(tables, album))

    return page(Embedded(tables, LIMIT - len(page(Embedded([], 0)))))


def whole(title: str, parts: Iterable[str], data: Any, live: bool = False) -> str:
    """A page of HTML that is made already, with its style sheets, its scripts and what they are
    told. live: whether it asks whoever serves it for what is new.
    """
    code = "\n".join(map(_read, (*SCRIPTS, "live.js" if live else "still.js")))
    numbers = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return TEMPLATES.get_template("page.html").render(
        title=title,
        parts=[*map(Markup, parts)],
        live=live,
        style=Markup(_read("uplot/uPlot.min.css") + _read("style.css")),
        code=Markup(code),
        policy=policy(code, live),
        data=Markup(numbers.replace("<", "\\u003c")),  # no tag ends in it
    )


def policy(code: str, live: bool) -> str:
    """What browsers let a page with this script do: no other script runs, nothing is fetched from
    elsewhere.
    """
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    more = "img-src 'self'; connect-src 'self'" if live else "img-src data:"
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; {more}"


def section_of(table: Table, album: Album, titled: bool = True) -> str:
    """What the page says about a data set, with its name as a heading or without."""
    return TEMPLATES.get_template("section.html").render(table=table, album=album, titled=titled)


def data_of(tables: Sequence[Table], album: Album) -> dict[str, Any]:
    """What the scripts are told: by the ids of sections and of runs."""
    runs = {key_of(run): run for table in tables for row in table.rows for run in row.runs}
    return {
        "tables": {id_of(table): plan_of(table) for table in tables},
        "runs": {key: told_of(run, album) for key, run in runs.items()},
    }


def told_of(run: Run, album: Album) -> dict[str, Any]:
    """What the scripts are told about a run."""
    return {**curves_of(run), "grids": album.grids(run)}


def id_of(table: Table) -> str:
    """Of the section of a data set."""
    return "t" + hashlib.sha256(table.dataset.encode("utf-8", "replace")).hexdigest()[:8]


def title_of(tables: Sequence[Table]) -> str:
    """Which methods the page is about, and on which data."""
    names = {row.algorithm for table in tables for row in table.rows}
    what = f"{len(names)} algorithms" if len(names) > 1 else "".join(names)
    where = tables[0].dataset if len(tables) == 1 else f"{len(tables)} data sets"
    return f"{what} on {where}"


def elsewhere(table: Table, row: Row, place: int) -> str:
    """Of a score that a row lacks: by which other protocol it has one, "" if by none."""
    column = table.columns[place]
    for other, cell in zip(table.columns, row.cells, strict=True):
        if cell and other.name == column.name and not row.cells[place]:
            return other.note
    return ""


Values: TypeAlias = tuple[str, Mapping[str, float]]
"""A title, and what stands below it: a number for each class."""


def class_tables(table: Table) -> list[tuple[Row, list[Values]]]:
    """The columns of a table for each row that has scores with values by class."""
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


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return NOTHING if value is None else str(value)


def environment(table: Table) -> dict[str, str]:
    """Of each fact of the runs its value, or its values with how many runs have them."""
    runs = [run for row in table.rows for run in row.runs if not run.external]
    merged = {}
    for name in dict.fromkeys(name for run in runs for name in run.environment):
        counts = Counter(_text(run.environment.get(name)) for run in runs)
        several = "; ".join(f"{value} ({count} runs)" for value, count in counts.items())
        merged[name] = several if len(counts) > 1 else next(iter(counts))
    return merged


def _finalize(value: Any) -> Any:
    """What a template shows: HTML as it is, all else as text, which is escaped after this."""
    return value if hasattr(value, "__html__") else printable(_text(value))


def _read(name: str) -> str:
    return (HERE / name).read_text("utf-8")


TEMPLATES = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    finalize=_finalize,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals |= {
    ask.__name__: ask
    for ask in (
        *(class_tables, elsewhere, environment, flatten, id_of, key_of, looks_of, pictures),
        *(printable, short),
    )
}
