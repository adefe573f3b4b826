"""Which evaluation of which runs counts."""

import json
from collections.abc import Iterable, Sequence

from ganlib.evaluation.comparison.choice import in_order, is_chosen
from ganlib.evaluation.comparison.recipes import recipe
from ganlib.evaluation.comparison.runs import Evaluation, Run
from ganlib.evaluation.comparison.table import Column, Entry


def first_score(runs: Iterable[Run], choice: Sequence[str] = ()) -> Column | None:
    """The first score of which it is known whether less or more of it is better."""
    names = (name for run in runs for e in run.evaluations for name in e.scores)
    columns = [Column(name, "", {}) for name in in_order(names, choice)]
    return next((column for column in columns if column.better), None)


def counted(run: Run, by: Column | None, choice: Sequence[str] = ()) -> Evaluation | None:
    """A run's last evaluation with a score of the choice, or its best by a score, of those under
    the last one's protocol.
    """
    having = [e for e in run.evaluations if by is not None and by.name in e.scores]
    if by is None or not having:
        shown = [e for e in run.evaluations if any(is_chosen(n, choice) for n, _ in e.every())]
        return next(reversed(shown or run.evaluations), None)
    name, key = by.name, having[-1].scores[by.name].hash
    alike = [e for e in having if e.scores[name].hash == key]
    return min(alike, key=lambda e: by.badness(e.scores[name].value))


def one_per_seed(entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Of runs that are equal in seed and settings the newest: they would be no further seed."""
    kept: dict[str, Entry] = {}
    notes = []
    for run, scored in sorted(entries, key=lambda entry: _age(*entry), reverse=True):
        key = json.dumps([run.algorithm, run.seed, run.done, recipe(run)], sort_keys=True)
        newest, _ = kept.setdefault(key, (run, scored))
        if newest is not run:
            notes.append(f"{run.path} is left out: {newest.path} repeats it.")
    return sorted(kept.values(), key=lambda entry: (entry[0].algorithm, entry[0].seed)), notes


def _age(run: Run, scored: Evaluation | None) -> tuple[bool, int, str]:
    return scored is not None, run.record.stat().st_mtime_ns, str(run.path)
