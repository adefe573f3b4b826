"""The folder that a run writes to, for one process and for its files alone."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from ganlib.common.errors import UserError
from ganlib.common.io.files import check_free, remove_torn, writing
from ganlib.runs import lock
from ganlib.runs.earlier import remark, to_resume
from ganlib.runs.folders import FILES, PARTS, ROOT, candidates, holds_run, is_abandoned
from ganlib.runs.settings import Settings
from ganlib.training.snapshot import snapshot_at

EARLIER = ".earlier"
"""The folder, in that of a run, of what was there before it; nobody takes it for a run."""


class Place(NamedTuple):
    """A run's folder, and the snapshot to go on from; None for a start. finished: whether a run of
    this folder, which is gone on with, has reached its end.
    """

    out: Path
    snapshot: Path | None
    finished: bool = False


@contextmanager
def held(
    settings: Settings, data: Mapping[str, Any], tell: Callable[[str], None]
) -> Iterator[Place]:
    """The place of a run on data of this fingerprint, for this process alone.

    Folders that are made for it and still empty at the end are removed again. Raises UserError if
    there is nothing to go on from, or the folder cannot be had.
    """
    found = to_resume(settings, data)
    snapshot = None if found is None else snapshot_at(found)
    own = None if snapshot is None else _run_of(snapshot)
    with ExitStack() as stack:
        out = _take_folder(settings, own, stack)
        with writing(out):
            goes_on = out.resolve() == own
            if not goes_on:
                _clear(out, settings.run.force, tell)
            for part in PARTS:
                _make(out / part, stack)
        if snapshot is None and (words := remark(settings, data, out)):
            tell(words)
        yield Place(out, snapshot, goes_on and (out / "DONE").exists())


def _run_of(snapshot: Path) -> Path | None:
    """The run's folder that a snapshot lies in; None if somebody has put it elsewhere."""
    folder = snapshot.resolve().parent.parent
    return folder if holds_run(folder) else None


def _take_folder(settings: Settings, own: Path | None, stack: ExitStack) -> Path:
    """The run's folder, made if need be and held until `stack` is left; own: that of the run that
    is gone on with.
    """
    out = settings.run.out or own
    if out is None:
        return _take_next(settings, stack)
    with writing(out):
        _make(out, stack)
    _hold(out, stack)
    if out.resolve() != own and not is_abandoned(out):
        if holds_run(out) and not settings.run.force:
            raise UserError(
                f"{out} already holds a run; give another --out, --resume auto to go on with it, "
                "or --force to begin anew."
            )
        check_free(_there(out), settings.run.force)
    return out


def _take_next(settings: Settings, stack: ExitStack) -> Path:
    """The same of the next free folder below result/."""
    for path in candidates(settings):
        with writing(ROOT), suppress(FileExistsError, lock.HeldError):
            again = is_abandoned(path)
            _make(path, stack, new=not again)
            _hold(path, stack)
            if is_abandoned(path) == again:  # and has not got its snapshot meanwhile
                return path
    raise AssertionError("the candidates never end")


def _hold(out: Path, stack: ExitStack) -> None:
    """Have the folder, and remove what a killed run may have left there."""
    killed = stack.enter_context(lock.held(out))
    if killed or holds_run(out):
        for folder in (out, *(out / part for part in PARTS)):
            remove_torn(folder)


def _there(out: Path) -> list[Path]:
    """What lies where a run writes."""
    paths = [out / name for name in (*FILES, *PARTS, "tensorboard")]
    return [path for path in paths if os.path.lexists(path) and not _is_empty(path)]


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _clear(out: Path, force: bool, tell: Callable[[str], None]) -> None:
    """Make room for a run: what lies where it will write is moved aside, unless nothing of it is
    worth that.
    """
    if is_abandoned(out):
        tell(f"The run in {out} ended before its first snapshot, and begins anew.")
    there = _there(out)
    if there and (force or _was_trained(out)):
        names = (EARLIER if k == 1 else f"{EARLIER}-{k}" for k in count(1))
        aside = next(path for name in names if not (path := out / name).exists())
        aside.mkdir()
        for path in there:
            path.rename(aside / path.name)
        tell(f"What was in {out} is in {aside} now.")


def _was_trained(out: Path) -> bool:
    """Whether a run left a line of its log, or samples of a later iteration than none."""
    log = out / "log.jsonl"
    return any(out.glob("samples/*[1-9]*")) or (log.exists() and log.stat().st_size > 0)


def _make(folder: Path, stack: ExitStack, new: bool = False) -> None:
    """Make a folder, which is removed again if it is empty when `stack` is left; FileExistsError
    if it is not `new`.
    """
    for path in reversed([folder, *folder.parents]):
        if not path.exists():
            stack.callback(_remove_if_empty, path)
    folder.mkdir(parents=True, exist_ok=not new)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # something is in it, or it is gone
        folder.rmdir()
