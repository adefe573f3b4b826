"""List runs: what became of them, their size on disk and their best score."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

import click

from ganlib.commands._tables import print_table
from ganlib.common.errors import UserError
from ganlib.common.io.console import say, stderr_console
from ganlib.common.io.files import writing
from ganlib.evaluation.comparison.table import NOTHING
from ganlib.runs.folders import EARLIER, PARTS, LockedError, files_of, is_abandoned, locked
from ganlib.runs.watching.seen import Seen, Watcher, size
from ganlib.training.snapshot import list_snapshots

TITLES = ("run", "state", "iteration", "size", "best score")
KINDS = (
    "Runs that ended before their first snapshot",
    "What was moved aside when a run began anew",
    "Snapshots of finished runs before their last",
)
"""What could go."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="result", metavar="[RESULT]")
@click.option("--clean", is_flag=True, help="Show what could go, kind by kind, and ask.")
def command(folder: Path, clean: bool) -> None:
    """List the runs below RESULT: what became of them, size and best score.

    --clean asks before anything goes: runs that ended before their first snapshot, what --force
    moved aside, and of finished runs the snapshots before the last one; best.pt stays, and so do
    those of --keep-snapshots best:N. Runs that wait or are at work, and files that are not a run's
    own, are left alone.
    """
    seen = Watcher(folder).look()
    if not seen:
        raise UserError(f"There is no run in {folder} yet; train.py makes them below result.")
    if clean:
        _clean([one for one in seen if one.state.name not in ("running", "waiting")])
        return
    rows, notes = [], []
    for one in seen:
        end = f" of {one.state.max_iter:,}" if one.state.max_iter else ""
        iteration, size_of = f"{one.state.iteration:,}{end}", size(_bytes([one.path]))
        rows.append((one.name, one.state.name, iteration, size_of, one.best or NOTHING))
        if why := one.sentence or one.state.sentence:
            notes.append(f"{one.name}: {why}")
    notes.append(f"{len(seen):,} {'run' if len(seen) == 1 else 'runs'}, {size(_bytes([folder]))}.")
    print_table(str(folder), [TITLES, *rows], notes, left=("state", "best score"))


def _clean(runs: Sequence[Seen]) -> None:
    wastes = {one.path: list(_waste(one)) for one in runs}
    for kind, words in enumerate(KINDS):
        found = {run: waste[kind] for run, waste in wastes.items() if waste[kind]}
        if found:
            rows = [(str(run), size(_bytes(paths))) for run, paths in found.items()]
            print_table(words, [("run", "size"), *rows])
            total = size(sum(map(_bytes, found.values())))
            if click.confirm(f"Remove them, {total} in all?"):
                for run, paths in found.items():
                    _remove(run, paths)
    if not any(map(any, wastes.values())):
        click.echo("Nothing could go.")


def _waste(one: Seen) -> Iterator[list[Path]]:
    """What could go of a run that is not at work, of each of KINDS."""
    path, keep = one.path, str(one.run.settings.get("keep_snapshots")) if one.run else ""
    yield files_of(path) if is_abandoned(path) else []
    yield sorted(path.glob(f"{EARLIER}*"))
    last = (path / "DONE").exists() and not keep.startswith("best:")  # which are the best
    yield list_snapshots(path / "snapshots")[:-1] if last else []


def _remove(run: Path, paths: Iterable[Path]) -> None:
    """Unless somebody trains there by now."""
    try:
        with locked(run), writing(run):
            for path in paths:
                rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except LockedError as error:
        say(stderr_console(), f"Left alone: {error}", "yellow")
    for folder in (*(run / part for part in PARTS), run):
        with suppress(OSError):  # it holds something
            folder.rmdir()


def _bytes(paths: Iterable[Path]) -> int:
    """Of files and of what is in folders; what goes away meanwhile has none."""
    total = 0
    for file in (file for path in paths for file in [path, *path.rglob("*")]):
        with suppress(OSError):
            total += 0 if file.is_dir() else file.lstat().st_size
    return total
