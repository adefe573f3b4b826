"""Train what a table of published figures asks for, and print them beside ours."""

import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlib.commands.options import shared
from ganlib.common.errors import UserError, did_you_mean, few

if TYPE_CHECKING:
    from ganlib.runs.tables import Asked, Table


@click.command()
@click.argument("table", required=False)
@click.option("--rows", metavar="ROW,...", help="These alone, also those that are for a card.")
@click.option("--seeds", metavar="N,N,...", help="Of the runs.  [default: the table's]")
@click.option(
    "--trials",
    type=shared.AtLeast(1),
    metavar="N",
    help="Settings to try of each row that has a search.  [default: the table's]",
)
@click.option("--jobs", metavar="N|auto", help="Runs at a time, as for train.  [default 1]")
@shared.path_option(
    "--out", metavar="DIR", help="Where the runs lie.  [default: result/reproduce/TABLE]"
)
@click.option("--plan", "planning", is_flag=True, help="Say what it costs, and train nothing.")
@click.option("--show", "showing", is_flag=True, help="Print the results there are, likewise.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
def command(
    table: str | None,
    rows: str | None,
    seeds: str | None,
    trials: int | None,
    jobs: str | None,
    out: Path | None,
    planning: bool,
    showing: bool,
    markdown: bool,
) -> None:
    """Train the runs of TABLE, a name or a .yaml file, and print published figures beside ours.

    Without TABLE, list the tables. What a table costs is said first. Each row is trained by the
    settings as given, with --trials also by others that are drawn of the row's search, and the best
    of these with further seeds. Each run that comes to its end is a line in the table's file of
    results and is not trained again; the same command goes on with the others.
    """
    from ganlib.runs import tables
    from ganlib.runs.grid import parse_seeds

    if planning and showing:
        raise UserError("--plan says what is to be done, --show what there is: give one of them.")
    if table is None:
        return _list()
    found = tables.open_table(table)
    _check_first(found)
    numbers = [*range(found.seeds)] if seeds is None else parse_seeds(seeds)
    chosen = _rows(found, rows)
    tried = {n: found.tasks(n, numbers[0], trials or found.trials) for n in chosen}
    asked = tables.Asked(found, tried, numbers)
    failed = False
    if not showing:
        _tell_costs(asked, planning)
    if not (showing or planning):
        failed = _train(asked, out or Path("result/reproduce") / found.path.stem, jobs)
    if not planning:
        _show(asked, markdown)
    raise SystemExit(failed)


def _check_first(table: "Table") -> None:
    """UserError for flags that `ganlib evaluate` would refuse, which is after all training."""
    from ganlib.commands.evaluate import command as evaluate

    for name, flags in table.first.items():
        try:
            evaluate.make_context("evaluate", [".", *shlex.split(flags)])
        except (click.UsageError, UserError, ValueError) as error:
            words = error.format_message() if isinstance(error, click.UsageError) else error
            raise UserError(f"{table.path}: first: {name}: {words}") from None


def _rows(table: "Table", wanted: str | None) -> list[str]:
    """Those to be trained; those that are left out since there is no card are told."""
    import torch

    if wanted is not None:
        names = [name for part in wanted.split(",") if (name := part.strip())]
        for name in names or [wanted]:
            if name not in table.rows:
                raise UserError(
                    f"{table.path} has no row '{name}'.{did_you_mean(name, table.rows)}"
                )
        return names
    out = [row for row, of in table.rows.items() if of.card and not torch.cuda.is_available()]
    if out:
        click.echo(f"Left out, as they are for a card: {few(out)}. --rows takes them.", err=True)
    return [row for row in table.rows if row not in out]


def _list() -> None:
    """Print the tables of the checkout, what was spent on each, and by that what is still to be."""
    from ganlib.commands._tables import print_table
    from ganlib.evaluation.comparison.table import NOTHING
    from ganlib.runs import tables

    lines = [["table", "of", "for", "rows", "runs", "done", "in hours", "hours to go"]]
    for name in tables.table_names():
        table = tables.open_table(name)
        done = tables.read_results(table.results)
        runs = sum(table.trials if row.search else 1 for row in table.rows.values())
        runs += (table.seeds - 1) * len(table.rows)
        hours = sum(line.seconds or 0 for line in done) / 3600
        left = f"{hours / len(done) * max(0, runs - len(done)):.1f}" if done else NOTHING
        place = "a card" if all(row.card for row in table.rows.values()) else "a CPU"
        numbers = [str(n) for n in (len(table.rows), runs, len(done))]
        lines.append([name, table.title, place, *numbers, f"{hours:.1f}", left])
    note = "ganlib reproduce TABLE --plan says what is to be done, and how long that takes here."
    print_table("Published tables", lines, [note], left=("of", "for"))


def _tell_costs(asked: "Asked", planning: bool) -> None:
    """Print what is to be done of each row, and how long that takes on this machine."""
    from rich.console import Console

    from ganlib.commands._tables import print_table
    from ganlib.common.io.console import stderr_console
    from ganlib.runs import tables

    total, rates = 0.0, dict[str, float]()
    lines = [["row", "runs", "done", "hours of a run", "of its scores", "hours to go"]]
    for row, tasks in asked.tried.items():
        every = [*tasks, *asked.counting(row)[1:]]
        left, hours = len(asked.left(every)), ["", "", ""]
        if left:
            parts = [seconds / 3600 for seconds in tables.seconds_of(tasks[0], rates)]
            total += (to_go := left * sum(parts))
            hours = [f"{part:.2f}" for part in (*parts, to_go)]
        lines.append([row, str(len(every)), str(len(every) - left), *hours])
    notes = [
        f"About {total:.1f} hours of one run after the other on this machine, by an estimate; real "
        "images are scored once besides.",
        f"Results: {asked.table.results}",
    ]
    console = Console() if planning else stderr_console()
    print_table(asked.table.title, lines, notes, console=console)


def _train(asked: "Asked", folder: Path, jobs: str | None) -> bool:
    """Train what has no result yet, and score runs of the first seed by what the table has for
    them; whether something failed, which is told.
    """
    from ganlib.commands.evaluate import command as evaluate
    from ganlib.runs.tables import record

    trials = sorted((t for tasks in asked.tried.values() for t in tasks), key=lambda t: t.trial)
    states = asked.train(trials, folder, jobs)
    counting = [asked.counting(row) for row in asked.tried]
    states |= asked.train([task for tasks in counting for task in tasks[1:]], folder, jobs)
    failed = {at: x.sentence or x.name for at, x in states.items() if x.name != "done"}
    for first, *_ in counting:
        for name, flags in asked.table.first.items():
            lines, run = asked.lines([first]), folder / first.name
            if lines and name not in lines[-1].scores and run.is_dir():
                try:
                    with redirect_stdout(sys.stderr):
                        evaluate.main([str(run), *shlex.split(flags)], standalone_mode=False)
                    record(asked.table.results, first, run)
                except UserError as error:  # other rows have theirs, and the table is printed
                    failed[run] = str(error)
    for at, words in failed.items():
        click.echo(f"Error: {at}: {words}", err=True)
    return bool(failed)


def _show(asked: "Asked", markdown: bool) -> None:
    """Print the rows that have results, published figures beside ours."""
    from ganlib.commands._reproduced import Reproduced
    from ganlib.commands._tables import print_table
    from ganlib.evaluation.comparison import writers

    table, ours = asked.table, Reproduced(asked)
    if not ours.found:
        click.echo(f"{table.title}: no row has a result yet.")
    elif markdown:
        click.echo("\n".join([writers.markdown(ours.headers, ours.rows, 1), "", *ours.notes]))
    else:
        print_table(f"{table.title}: {table.score}", [ours.headers, *ours.rows], ours.notes)
