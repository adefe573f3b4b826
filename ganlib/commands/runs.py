"""List runs: what became of them, their size on disk and their best score."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import click

from ganlib.commands._tables import print_table
from ganlib.common.errors import UserError
from ganlib.common.io.console import say, stderr_console
from ganlib.common.io.files import reading, writing
from ganlib.common.io.jsonl import is_count
from ganlib.evaluation.comparison.compare import counted, first_score
from ganlib.evaluation.comparison.reading import below, read_run
from ganlib.evaluation.comparison.runs import Run
from ganlib.evaluation.comparison.table import NOTHING, figures
from ganlib.runs.folders import EARLIER, PARTS, LockedError, files_of, is_abandoned, locked
from ganlib.runs.state import STATE, read_state
from ganlib.training.snapshot import list_snapshots

TITLES = ("run", "state", "iteration", "size", "best score")


class Waste(NamedTuple):
    """What could go of the run in a folder."""

    run: Path
    paths: list[Path]


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[RESULT]...")
@click.option("--clean", is_flag=True, help="Show what could go, kind by kind, and ask.")
def command(folders: tuple[Path, ...], clean: bool) -> None:
    """List the runs below RESULT (default: result): what became of them, size and best score.

    --clean asks before anything goes: runs that ended before their first snapshot, what --force
    moved aside, and of finished runs the snapshots before the last one; best.pt stays. Runs that
    wait or are at work, and files that are not a run's own, are left alone.
    """
    folders = folders or (Path("result"),)
    for folder in folders:
        with reading(folder):
            if not folder.is_dir():
                raise UserError(f"There is no folder {folder}; name one with runs in it.")
    found = {os.path.realpath(path): path for top in folders for path in below(top, STATE)}
    runs = [path for _, path in sorted(found.items())]
    if not runs:
        places = " or ".join(map(str, folders))
        raise UserError(f"There is no run in {places} yet; train.py makes them below result.")
    if clean:
        _clean(runs)
        return
    rows, notes = [], []
    for path in runs:
        state, score = read_state(path), NOTHING
        end: Any = state.max_iter
        try:
            if (run := read_run(path)) is not None:
                score, end = _best(run), end or run.settings.get("max_iter")
        except UserError as error:  # the others are listed all the same
            notes.append(str(error))
        if state.sentence and state.name in ("stopped", "failed"):
            notes.append(f"{path}: {state.sentence}")
        done = f"{state.iteration:,}" + (f" of {end:,}" if end and is_count(end) else "")
        rows.append((str(path), state.name, done, _megabytes(_size([path])), score))
    notes.append(f"{len(runs):,} runs, {_megabytes(_size(runs))}.")
    print_table("Runs", [TITLES, *rows], notes, left=("state", "best score"))


def _best(run: Run) -> str:
    """By the score that its best snapshot is kept by, or else the first one."""
    _, _, name = str(run.settings.get("best_by") or "").partition(":")
    column = (first_score([run], [name]) if name else None) or first_score([run])
    scored = None if column is None else counted(run, column)
    if column is None or scored is None:
        return NOTHING
    return f"{column.name} {figures(scored.scores[column.name].value)} at {scored.iteration:,}"


def _clean(runs: Iterable[Path]) -> None:
    kinds: dict[str, list[Waste]] = {
        "Runs that ended before their first snapshot": [],
        "What was moved aside when a run began anew": [],
        "Snapshots of finished runs before their last": [],
    }
    for run in runs:
        if read_state(run).name in ("running", "waiting"):
            continue
        for kind, paths in zip(kinds.values(), _waste(run), strict=True):
            kind += [Waste(run, paths)] if paths else []
    if not any(kinds.values()):
        click.echo("Nothing could go.")
    for words, found in kinds.items():
        if found:
            rows = [(str(waste.run), _megabytes(_size(waste.paths))) for waste in found]
            total = _megabytes(_size(path for waste in found for path in waste.paths))
            print_table(words, [("run", "size"), *rows])
            if click.confirm(f"Remove them, {total} in all?"):
                for waste in found:
                    _remove(waste)


def _waste(run: Path) -> Iterator[list[Path]]:
    """What could go of a run that is not at work, kind by kind."""
    yield files_of(run) if is_abandoned(run) else []
    yield sorted(run.glob(f"{EARLIER}*"))
    yield list_snapshots(run / "snapshots")[:-1] if (run / "DONE").exists() else []


def _remove(waste: Waste) -> None:
    """Unless somebody trains there by now."""
    try:
        with locked(waste.run), writing(waste.run):
            for path in waste.paths:
                rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except LockedError as error:
        say(stderr_console(), f"Left alone: {error}", "yellow")
    for folder in (*(waste.run / part for part in PARTS), waste.run):
        with suppress(OSError):  # it holds something
            folder.rmdir()


def _size(paths: Iterable[Path]) -> int:
    """Bytes of files and of what is in folders; what goes away meanwhile has none."""
    total = 0
    for file in (file for path in paths for file in [path, *path.rglob("*")]):
        with suppress(OSError):
            total += 0 if file.is_dir() else file.lstat().st_size
    return total


def _megabytes(n: int) -> str:
    return f"{n / 1e6:,.1f} MB" if n < 1e9 else f"{n / 1e9:,.2f} GB"
