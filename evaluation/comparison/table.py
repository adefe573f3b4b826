"""A table: a row per algorithm and settings, a column per score; and how its numbers look."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median, stdev
from typing import Any

from ganlib.evaluation.comparison.runs import Evaluation, Recorded, Run
from ganlib.evaluation.protocol import better_by_name, deciding, differing, plain

_ARROWS = {"lower": " ↓", "higher": " ↑", "nearer to 1": " →1", "": ""}
NOTHING = "–"

Entry = tuple[Run, Evaluation | None]
"""A run and the evaluation of it that counts, None if it was not scored."""


@dataclass(frozen=True)
class Column:
    """A score under one protocol; `note` tells it from others of its name."""

    name: str
    hash: str
    protocol: dict[str, Any]
    note: str = ""
    better: str = ""
    """As the score was recorded with it, else as its name tells."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "better", self.better or better_by_name(self.name))

    def of(self, scored: Evaluation | None) -> Recorded | None:
        """The score of this name and hash, if there is one."""
        every = scored.every() if scored else ()
        return next((s for name, s in every if (name, s.hash) == (self.name, self.hash)), None)

    def badness(self, value: float) -> float:
        """A number that is the lower the better the score is. Of a column with a `better`."""
        if self.better == "nearer to 1":
            return abs(value - 1)
        return value if self.better == "lower" else -value

    @property
    def title(self) -> str:
        return f"{self.name} ({self.note})" if self.note else self.name

    @property
    def header(self) -> str:
        """The title, with an arrow to where better scores are."""
        return self.title + _ARROWS[self.better]


@dataclass(frozen=True)
class Cell:
    """A score over seeds; `std` is the sample standard deviation, None for a single seed, of which
    `error` is the standard error over draws of samples, if that is known.
    """

    mean: float
    std: float | None
    values: dict[int, float]
    best: bool = False
    error: float | None = None


@dataclass(frozen=True)
class Row:
    """Runs that differ in nothing but the seed, with the evaluation of each that counts."""

    algorithm: str
    settings: dict[str, Any]
    done: bool
    entries: list[Entry]
    cells: list[Cell | None]

    @property
    def runs(self) -> list[Run]:
        return [run for run, _ in self.entries]

    @property
    def label(self) -> str:
        """The algorithm, and the settings in which other runs of it differ."""
        words = [f"{name}={plain(value)}" for name, value in self.settings.items()]
        return f"{self.algorithm} ({', '.join(words)})" if words else self.algorithm

    @property
    def name(self) -> str:
        """The label without the settings that have columns."""
        swept = {name for run in self.runs for name in run.swept}
        shown = {name: value for name, value in self.settings.items() if name not in swept}
        return replace(self, settings=shown).label

    @property
    def title(self) -> str:
        return self.name if self.done else f"{self.name}, unfinished"

    @property
    def whole(self) -> str:
        """The title with all settings, which no other row of the table has."""
        return self.label if self.done else f"{self.label}, unfinished"

    @property
    def iterations(self) -> list[int]:
        """The iterations that were scored, or reached where nothing was scored."""
        return [scored.iteration if scored else run.iteration for run, scored in self.entries]

    @property
    def images_per_second(self) -> float | None:
        known = [rate for run in self.runs if (rate := run.images_per_second) is not None]
        return median(known) if known else None

    @property
    def hours(self) -> float | None:
        """The mean over the runs."""
        known = [hours for run in self.runs if (hours := run.hours) is not None]
        return fmean(known) if known else None

    @property
    def device(self) -> str:
        return "/".join(sorted({run.device for run in self.runs}))


@dataclass(frozen=True)
class Table:
    """The rows of one data set, the best first; `notes` are sentences to print below."""

    dataset: str
    columns: list[Column]
    rows: list[Row]
    caption: str
    notes: list[str] = field(default_factory=list)

    @property
    def _devices(self) -> set[str]:
        return {row.device for row in self.rows if row.device}

    @property
    def swept(self) -> list[str]:
        """The settings to which grids gave several values."""
        runs = (run for row in self.rows for run in row.runs)
        return list(dict.fromkeys(name for run in runs for name in run.swept))

    @property
    def headers(self) -> list[str]:
        """The titles of the columns: the row's, the scores', the settings', and what it cost."""
        hours = f"{''.join(self._devices)}-hours" if len(self._devices) == 1 else "hours"
        scores = [column.header for column in self.columns]
        costs = ["n", "iterations", "images/s", f"{hours} per run"]
        return ["algorithm", *scores, *self.swept, *costs]

    @property
    def main(self) -> list[Column]:
        """The first of each name: see make_columns()."""
        return list({column.name: column for column in reversed(self.columns)}.values())

    def values(self, row: Row) -> dict[str, Any]:
        """Of the swept settings in a row, NOTHING for one that it does not have."""
        return {name: row.runs[0].settings.get(name, NOTHING) for name in self.swept}

    @property
    def protocols(self) -> list[str]:
        """How the scores were obtained, in sentences: what all share, and what each has alone."""
        return protocols({column.title: column.protocol for column in self.columns})

    def costs(self, row: Row) -> list[str]:
        """The cells of a row after the scores."""
        low, high = min(row.iterations), max(row.iterations)
        iterations = f"{low:,}" if low == high else f"{low:,}–{high:,}"
        if all(run.external for run in row.runs) and not high:
            iterations = NOTHING
        mixed = len(self._devices) > 1 and row.hours is not None
        hours = short(row.hours) + (f" {row.device}" if mixed else "")
        swept = [plain(value) for value in self.values(row).values()]
        return [*swept, str(len(row.entries)), iterations, short(row.images_per_second), hours]

    def numbers(self, row: Row, place: int) -> tuple[str, str]:
        """Mean and deviation of a score, ("–", "") for none, in the column's decimals."""
        cell = row.cells[place]
        if cell is None:
            return NOTHING, ""
        means = [c.mean for r in self.rows if (c := r.cells[place])]
        digits = decimals(means, self.columns[place].better)
        spread = cell.std if cell.error is None else cell.error
        deviation = "" if spread is None else f"± {spread:.{digits}f}"
        partial = f"(n={len(cell.values)})" if len(cell.values) < len(row.entries) else ""
        return f"{cell.mean:.{digits}f}", f"{deviation} {partial}".strip()

    def shown(self, row: Row) -> Iterator[tuple[str, bool]]:
        """The scores of a row as text, and whether each is the best of its column."""
        for place, cell in enumerate(row.cells):
            yield " ".join(self.numbers(row, place)).strip(), cell is not None and cell.best


def protocols(named: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the protocols under these names share, and what each has alone, as sentences."""
    facts = {name: deciding(protocol) for name, protocol in named.items()}
    own = differing(facts.values())
    shared = next(iter(facts.values()), {})
    told = {"Protocol": _in_words({n: x for n, x in shared.items() if n not in own})}
    told |= {name: _in_words({n: fact.get(n) for n in own}) for name, fact in facts.items()}
    return [f"{of}: {words}." for of, words in told.items() if words]


def _in_words(protocol: Mapping[str, Any]) -> str:
    """The fields that say anything; of a digest the beginning."""
    said = {name: value for name, value in protocol.items() if value not in (None, False, "")}
    return ", ".join(
        f"{name} {plain(value)[:8] if name.endswith('digest') else plain(value)}"
        for name, value in said.items()
    )


def short(value: float | None) -> str:
    """A cost in two figures, or to the unit."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 9.95 else f"{value:#.2g}"


def decimals(means: Iterable[float], better: str) -> int:
    """Of a column: those that its good values need, of one that is the better the higher the
    highest. At least 2, at most 5.
    """
    best = max if better == "higher" else min
    good = best((abs(mean) for mean in means if mean), default=1)
    return min(5, max(2, 2 - math.floor(math.log10(good))))


def figure(values: Sequence[float], digits: int = 2) -> str:
    """Mean +- standard deviation, as the pages have them; of a single value the value alone."""
    spread = f" +- {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{spread}"


def figures(value: float) -> str:
    """A number in four figures, zeros at its end too."""
    return f"{value:#.4g}".removesuffix(".")
