"""Runs on disk to tables: what every algorithm reached on a data set, over its seeds."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ganlib.common.io.console import in_python
from ganlib.evaluation.comparison.columns import check_choice, further, in_order, make_columns
from ganlib.evaluation.comparison.external import joined, read_external
from ganlib.evaluation.comparison.reading import find_runs
from ganlib.evaluation.comparison.runs import REAL, Evaluation, Run
from ganlib.evaluation.comparison.table import Cell, Column, Entry, Row, Table, figures
from ganlib.evaluation.protocol import differing

ELSEWHERE = {"algorithm", "dataset", "size", "seed"}
"""Settings that a table shows in a place of their own."""
NO_RECIPE = set(
    """
    preset epochs force data_root out gpu device deterministic graph compile workers
    checkpoint_blocks resume max_hours display_interval sample_interval snapshot_interval
    evaluation_interval evaluation_images evaluation_reference evaluation_precision
    evaluation_channels_last evaluation_rounding metrics segmentation extractor extractor_weights
    inception_weights ema_every keep_snapshots best_by doctor stop_on tensorboard tracker extension
    plugin_dir statistics vgg_weights feature_weights
    """.split()
)
"""Settings on which no number depends, or only those of scores, whose protocols have them."""
BESIDE = {"grid.yaml", *(f"compare.{suffix}" for suffix in ("md", "csv", "json", "html"))}
"""Files that ganlib puts beside runs, which FOLDER/* means to be among them."""
_LEFT_OUT = ELSEWHERE | NO_RECIPE


@in_python
def compare(
    folders: Sequence[Path],
    best: bool = False,
    split: bool = False,
    trials: bool = False,
    choice: Sequence[str] = (),
) -> list[Table]:
    """One table per data set of the runs below `folders`, among which .json files of scores may be;
    what ganlib puts beside runs is left out.

    best: of each run its best evaluation by the first score counts, not the last one. split: scores
    of one name and several protocols get a column each; without it they are a UserError. trials:
    what was tried on the evaluation that counts has columns too, which splits. choice: names of
    scores, their beginnings or metrics: no other columns, in this order; UserError for one that no
    run has.
    """
    folders = [path for path in folders if path.name not in BESIDE or path.is_dir()] or folders
    files = [path for path in folders if path.suffix.lower() == ".json" and not path.is_dir()]
    inside = [path for path in folders if path not in files]
    runs = find_runs(inside, trials) if inside or not files else []
    runs += [joined(read_external(file), runs) for file in files]
    return tables_of(runs, best, split or trials, choice)


def tables_of(
    runs: Sequence[Run], best: bool = False, split: bool = False, choice: Sequence[str] = ()
) -> list[Table]:
    """The same of runs that were read."""
    check_choice(choice, [n for run in runs for e in run.evaluations for n, _ in e.every()])
    tables: dict[str, list[Run]] = {}
    for run in runs:
        tables.setdefault(run.dataset, []).append(run)
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
    notes += _training_notes(entries, columns)
    notes += _baseline_notes(entries, columns)
    more = further(name for _, scored in entries if scored for name, _ in scored.every())
    notes += [f"--columns shows further scores: {', '.join(more)}."] if more and not choice else []
    tried = not columns and any((run.path / "trials.jsonl").is_file() for run in runs)
    notes += ["--trials shows what was tried."] if tried else []
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
    if any(cell and cell.error is not None for row in rows for cell in row.cells):
        parts[0] += "; of one seed ± is the standard error over draws of its samples"
    marked = any(cell and cell.best for row in rows for cell in row.cells)
    parts += ["The best by each score is marked"] if marked else []
    return ". ".join(parts) + "."


def _training_notes(entries: Sequence[Entry], columns: Sequence[Column]) -> list[str]:
    """Who was trained on the features of fixed networks, and which scores are in those too."""
    found: dict[tuple[str, str], list[str]] = {}
    for run, scored in entries:
        for column in columns:
            score = column.of(scored)
            if score is not None and (networks := score.protocol.get("trained_on")):
                names = [network.partition(" ")[0] for network in str(networks).split(", ")]
                flattered = found.setdefault((run.algorithm, str(networks)), [])
                if column.protocol.get("extractor") in names and column.title not in flattered:
                    flattered.append(column.title)
    return [
        f"{algorithm} was trained on features of {networks}"
        + (f", by which it is scored too: that flatters its {', '.join(of)}." if of else ".")
        for (algorithm, networks), of in found.items()
    ]


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


def first_score(runs: Iterable[Run], choice: Sequence[str] = ()) -> Column | None:
    """The first score of which it is known whether less or more of it is better."""
    names = (name for run in runs for e in run.evaluations for name in e.scores)
    columns = [Column(name, "", {}) for name in in_order(names, choice)]
    return next((column for column in columns if column.better), None)


def counted(run: Run, by: Column | None, choice: Sequence[str] = ()) -> Evaluation | None:
    """A run's last evaluation with a chosen score, or its best under the last protocol of one."""
    having = [e for e in run.evaluations if by is not None and by.name in e.scores]
    if by is None or not having:
        shown = [e for e in run.evaluations if in_order((n for n, _ in e.every()), choice)]
        return next(reversed((choice and shown) or run.evaluations), None)
    name, key = by.name, having[-1].scores[by.name].hash
    alike = [e for e in having if e.scores[name].hash == key]
    return min(alike, key=lambda e: by.badness(e.scores[name].value))


def one_per_seed(entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Of runs that are equal in seed and settings the newest: they would be no further seed."""
    kept: dict[str, Entry] = {}
    notes = []
    for run, scored in sorted(entries, key=lambda entry: _age(*entry), reverse=True):
        key = json.dumps([run.algorithm, run.seed, run.done, _recipe(run)], sort_keys=True)
        newest, _ = kept.setdefault(key, (run, scored))
        if newest is not run:
            notes.append(f"{run.path} is left out: {newest.path} repeats it.")
    return sorted(kept.values(), key=lambda entry: (entry[0].algorithm, entry[0].seed)), notes


def _age(run: Run, scored: Evaluation | None) -> tuple[bool, int, str]:
    record = run.path if run.external else run.path / "config.yaml"
    return scored is not None, record.stat().st_mtime_ns, str(run.path)


def _recipe(run: Run) -> dict[str, Any]:
    """The settings that runs share if they differ in nothing but their seed; None is as good as
    missing, which it is in runs from before there was a setting.
    """
    return {k: v for k, v in run.settings.items() if v is not None and k not in _LEFT_OUT}


def make_rows(entries: Sequence[Entry], columns: Sequence[Column]) -> list[Row]:
    """A row for all seeds of the same algorithm and settings, the best by the first score first."""
    groups, recipes = dict[str, Row](), dict[str, list[dict[str, Any]]]()
    for run, _ in entries:
        recipes.setdefault(run.algorithm, []).append(_recipe(run))
    names = {algorithm: differing(alike) for algorithm, alike in recipes.items()}
    for run, scored in entries:
        settings = {name: run.settings.get(name) for name in names[run.algorithm]}
        key = json.dumps([run.algorithm, run.done, settings], sort_keys=True)
        row = groups.setdefault(key, Row(run.algorithm, settings, run.done, [], []))
        row.entries.append((run, scored))
    for column in columns:
        cells = _best_marked([_cell(row.entries, column) for row in groups.values()], column)
        for row, cell in zip(groups.values(), cells, strict=True):
            row.cells.append(cell)
    return sorted(groups.values(), key=lambda row: _rank(row, columns))


def _cell(entries: Iterable[Entry], column: Column) -> Cell | None:
    scores = {run.seed: score for run, scored in entries if (score := column.of(scored))}
    if not scores:
        return None
    values = {seed: score.value for seed, score in scores.items()}
    numbers = list(values.values())
    if len(numbers) > 1:
        return Cell(fmean(numbers), stdev(numbers), values)
    (only,) = scores.values()
    return Cell(only.value, None, values, error=only.error)


def _best_marked(cells: list[Cell | None], column: Column) -> list[Cell | None]:
    """The best mean of a column marked, if there are several and it is known which is better."""
    means = [cell.mean for cell in cells if cell]
    if not column.better or len(means) < 2:
        return cells
    best = min(means, key=column.badness)
    return [c and replace(c, best=math.isclose(c.mean, best, rel_tol=1e-9)) for c in cells]


def _rank(row: Row, columns: Sequence[Column]) -> tuple[Any, ...]:
    """By the first score, the best first, then those without it by name."""
    for cell, column in zip(row.cells, columns, strict=True):
        if column.better:
            if cell is None:
                break
            return 0, column.badness(cell.mean), row.title
    return 1, 0.0, row.title
