"""Runs on disk to tables: what every algorithm reached on a data set, over its seeds."""

from collections.abc import Sequence
from pathlib import Path

from ganlib.common.io.console import in_python
from ganlib.evaluation.comparison.columns import check_choice, further, make_columns
from ganlib.evaluation.comparison.external import joined, read_external
from ganlib.evaluation.comparison.reading import find_runs
from ganlib.evaluation.comparison.rows import counted, first_score, make_rows, one_per_seed
from ganlib.evaluation.comparison.runs import REAL, Run
from ganlib.evaluation.comparison.table import Column, Entry, Row, Table, figures


@in_python
def compare(
    folders: Sequence[Path],
    best: bool = False,
    split: bool = False,
    trials: bool = False,
    choice: Sequence[str] = (),
) -> list[Table]:
    """One table per data set of the runs below `folders`, among which .json files of scores may be.

    best: of each run its best evaluation by the first score counts, not the last one. split: scores
    of one name and several protocols get a column each; without it they are a UserError. trials:
    what was tried on the evaluation that counts has columns too, which splits. choice: names of
    scores, their beginnings or metrics: no other columns, in this order; UserError for one that no
    run has.
    """
    files = [path for path in folders if path.suffix.lower() == ".json" and not path.is_dir()]
    inside = [path for path in folders if path not in files]
    runs = find_runs(inside, trials) if inside or not files else []
    runs += [joined(read_external(file), runs) for file in files]
    check_choice(choice, [n for run in runs for e in run.evaluations for n, _ in e.every()])
    tables: dict[str, list[Run]] = {}
    for run in runs:
        tables.setdefault(run.dataset, []).append(run)
    split = split or trials
    return [_table(name, of, best, split, choice) for name, of in sorted(tables.items())]


def _table(
    dataset: str, runs: Sequence[Run], best: bool, split: bool, choice: Sequence[str]
) -> Table:
    first = first_score(runs, choice)
    entries = [(run, counted(run, first if best else None, choice)) for run in runs]
    entries, notes = one_per_seed(entries)
    columns = make_columns(entries, split, choice)
    rows = make_rows(entries, columns)
    notes += [
        f"{column.title}: of fewer images than features, which biases it."
        for column in columns
        if column.protocol.get("rank_deficient")
    ]
    notes += [
        f"By which weights the images of {run.algorithm} were made is not known."
        for run, scored in entries
        if run.external and scored and not scored.iteration
    ]
    notes += _baseline_notes(entries, columns)
    more = further(name for _, scored in entries if scored for name, _ in scored.every())
    notes += [f"--columns shows further scores: {', '.join(more)}."] if more and not choice else []
    missing = choice and not columns
    caption = "No run has such scores." if missing else _caption(best, first, columns, rows)
    return Table(dataset, columns, rows, caption, notes)


def _caption(
    best: bool, first: Column | None, columns: Sequence[Column], rows: Sequence[Row]
) -> str:
    if not columns:
        return "No run has been scored yet."
    which = f"Of each run its best evaluation by {first.name}" if best and first else ""
    parts = [which or "The last evaluation of each run"]
    if any(len(row.entries) > 1 for row in rows):
        parts[0] += "; mean ± sample standard deviation over n training seeds"
    marked = any(cell and cell.best for row in rows for cell in row.cells)
    parts += ["The best by each score is marked"] if marked else []
    return ". ".join(parts) + "."


def _baseline_notes(entries: Sequence[Entry], columns: Sequence[Column]) -> list[str]:
    """What real images and trivial translations reach: a sentence for each, with its values."""
    found: dict[str, list[str]] = {}
    for column in columns:
        scores = (column.of(scored) for _, scored in entries)
        # of one protocol, all have the same sources and truths
        first = next((score.baselines for score in scores if score and score.baselines), {})
        for name, value in first.items():
            found.setdefault(name, []).append(f"{column.title} {figures(value)}")
    verbs = {name: f"the {name} itself reaches" for name in found} | {REAL: f"{REAL} reach"}
    return [f"What {verbs[name]}: {', '.join(of)}." for name, of in found.items()]
