"""What is printed of a table of published figures: rows, ours beside those, and sentences below."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from ganlib.evaluation.comparison.table import NOTHING, decimals, figure, protocols
from ganlib.evaluation.protocol import better_by_name
from ganlib.runs.tables import Asked, Line

GAP, STAR = 2, " *"
"""So many published deviations away what a search found is marked."""
MARKED = f"*: {GAP} published deviations away, or more."


@dataclass(frozen=True)
class Reproduced:
    """What there is of what is asked for."""

    asked: Asked

    @cached_property
    def found(self) -> dict[str, list[Line]]:
        """The results that are each row's, of rows that have any."""
        every = {row: self.asked.lines(self.asked.counting(row)) for row in self.asked.tried}
        return {row: lines for row, lines in every.items() if lines}

    @property
    def headers(self) -> list[str]:
        of, given = self.asked.table, "as given" if self._searched else self.asked.table.score
        titles = [given, *(["best checkpoint"] if of.checkpoints else [])]
        found = ["trials", "their best", *titles[1:]] if self._searched else []
        return ["", *self._published, *titles, *found, *self._also, "n", "seconds"]

    @cached_property
    def rows(self) -> list[list[str]]:
        """A cell for each header; n is of how many seeds the row is, and figures that are of others
        have their own.
        """
        return [self._row(name) for name in self.found]

    @property
    def notes(self) -> list[str]:
        """The table's sentences, its rows', what a star means, how the score was obtained, and what
        has no result.
        """
        of, said = self.asked.table, [*self.asked.table.notes]
        said += [f"{row}: {note}" for row in self.found if (note := of.rows[row].note)]
        said += [MARKED] if any(cell.endswith(STAR) for row in self.rows for cell in row) else []
        scores = {row: lines[-1].scores.get(of.score) for row, lines in self.found.items()}
        said += protocols({row: score.protocol for row, score in scores.items() if score})
        missing = [row for row in self.asked.tried if row not in self.found]
        return [*said, *([f"Without a result: {', '.join(missing)}."] if missing else [])]

    @property
    def _published(self) -> list[str]:
        """The title of the column, if any row has such a figure."""
        return ["published"] if any(r.published for r in self.asked.table.rows.values()) else []

    @property
    def _also(self) -> list[str]:
        return [*self.asked.table.also, *self.asked.table.first]

    @property
    def _searched(self) -> bool:
        return any(len(tasks) > 1 for tasks in self.asked.tried.values())

    def _row(self, name: str) -> list[str]:
        best, tasks, n = self.found[name], self.asked.tried[name], len(self.found[name])
        given = self.asked.lines(tasks[0].of_seed(seed) for seed in self.asked.seeds)
        ours = self._scores(given, n)
        if self._searched:
            tried, theirs = len(self.asked.lines(tasks)), self._scores(best, n)
            theirs[-1] += STAR if self._is_away(name) else ""
            ours += [str(tried), *(theirs if tried > 1 else [NOTHING for _ in theirs])]
        also = [self._figure(_last(best, score), score, n) for score in self._also]
        seconds = [line.seconds for line in best if line.seconds is not None]
        took = f"{fmean(seconds):.0f}" if seconds else NOTHING
        known = self.asked.table.rows[name].published
        values = known if isinstance(known, tuple) else [known]
        told = " +- ".join(f"{value:g}" for value in values if value is not None) or NOTHING
        return [name, *(told for _ in self._published), *ours, *also, str(n), took]

    def _scores(self, lines: Sequence[Line], n: int) -> list[str]:
        """The table's over seeds: of the last evaluation, and of the one that counts."""
        of = self.asked.table
        every = [_last(lines, of.score), *([of.values(lines)] if of.checkpoints else [])]
        return [self._figure(values, of.score, n) for values in every]

    def _figure(self, values: Sequence[float], score: str, n: int) -> str:
        """Mean and deviation over seeds; how many they are is told where they are not n."""
        told = "" if len(values) == n else f" (n={len(values)})"
        return f"{figure(values, self._decimals[score])}{told}" if values else NOTHING

    @cached_property
    def _decimals(self) -> dict[str, int]:
        """Of each score, in all rows."""
        found = {}
        for score in (self.asked.table.score, *self._also):
            every = [_last(lines, score) for lines in self.found.values()]
            means = [fmean(values) for values in every if values]
            found[score] = decimals(means, better_by_name(score))
        return found

    def _is_away(self, name: str) -> bool:
        """Whether what counts is far from what was published."""
        table = self.asked.table
        known, values = table.rows[name].published, table.values(self.found[name])
        if not (isinstance(known, tuple) and values):
            return False
        mean, deviation = known
        return abs(fmean(values) - mean) > GAP * deviation


def _last(lines: Sequence[Line], score: str) -> list[float]:
    """Of each run that has the score, by its last evaluation."""
    return [line.scores[score].last for line in lines if score in line.scores]
