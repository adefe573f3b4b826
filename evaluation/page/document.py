"""The whole page: page.html, filled in with what is computed of tables."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ganlib.common.io.console import printable
from ganlib.evaluation.comparison.table import NOTHING, Row, Table, short
from ganlib.evaluation.page.curves import classes_of, panels
from ganlib.evaluation.page.samples import pictures
from ganlib.evaluation.protocol import flatten


def to_html(tables: Sequence[Table]) -> str:
    """The whole page: tables, curves, samples, protocols and environment."""
    return TEMPLATES.get_template("page.html").render(tables=tables, title=_title(tables))


def _title(tables: Sequence[Table]) -> str:
    names = {row.algorithm for table in tables for row in table.rows}
    what = f"{len(names)} algorithms" if len(names) > 1 else "".join(names)
    where = tables[0].dataset if len(tables) == 1 else f"{len(tables)} data sets"
    return f"{what} on {where}"


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


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    finalize=_finalize,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals |= {
    ask.__name__: ask
    for ask in (class_tables, classes_of, environment, flatten, panels, pictures, short)
}
