"""Where runs live on disk, result/<algorithm>_<dataset>/seed<N>[-k], what lies there, and how a run
gets its folder, for one process at a time and for its files alone.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ganlib.common.errors import UserError, one_line
from ganlib.common.io.files import MARK, PREFIX, check_free, remove_torn, write_text, writing
from ganlib.config import RunConfig
from ganlib.runs.state import BEAT, STATE, read_state
from ganlib.training.device import ranks
from ganlib.training.extensions.posthoc_ema import FOLDER
from ganlib.training.extensions.reports import TRACKERS
from ganlib.training.scores.scorer import SCORES, TRIALS
from ganlib.training.snapshot import list_snapshots

if TYPE_CHECKING:
    from ganlib.training.trainer import Trainer

ROOT = Path("result")
PARTS = ("snapshots", "samples")
"""Folders in that of a run."""
HELD_OUT = "held_out.txt"
"""A line for each file that a run does not train on."""
FILES = (
    *("config.yaml", "environment.json", "log.jsonl", SCORES, TRIALS, HELD_OUT, STATE),
    *(TRACKERS, "DONE"),
)
EARLIER = ".earlier"
"""The folder, in that of a run, of what was there before it; nobody takes it for a run."""
LOCK = f"{PREFIX}lock"
PLAN = "grid.yaml"
"""In the folder of a grid: see grid.py."""


def candidates(run: RunConfig) -> Iterator[Path]:
    """Where a run without a folder of its own may go, the first choice first; endless."""
    first = ROOT / f"{run.algorithm}_{run.query.label}" / f"seed{run.seed}"
    return chain([first], (first.with_name(f"{first.name}-{k}") for k in count(2)))


def holds_run(path: Path) -> bool:
    """Whether there is a run, and not somebody's config.yaml alone."""
    others = [path / "environment.json", *list_snapshots(path / "snapshots")]
    return (path / "config.yaml").is_file() and any(other.exists() for other in others)


def is_abandoned(path: Path) -> bool:
    """Whether a run in this folder ended before its first snapshot, so that another may begin."""
    ended = (path / "DONE").exists() or any(path.glob("snapshots/*.pt"))
    return holds_run(path) and not ended


class Place(NamedTuple):
    """A run's folder, and the snapshot to go on from; None for a start. finished: whether a run of
    this folder, which is gone on with, has reached its end.
    """

    out: Path
    snapshot: Path | None
    finished: bool = False


class LockedError(UserError):
    """Another process has the folder."""


class RunFolder:
    """How a run gets its folder, for this process alone. find_snapshot, remark: see Resumption."""

    def __init__(
        self,
        run: RunConfig,
        find_snapshot: Callable[[], Path | None],
        remark: Callable[[Path], str],
        tell: Callable[[str], None],
    ) -> None:
        self.run, self.tell = run, tell
        self.find_snapshot, self.remark = find_snapshot, remark
        self._stack = ExitStack()

    @contextmanager
    def held(self) -> Iterator[Place]:
        """The place of the run, which the first of several ranks finds for all.

        Folders that are made for it and still empty at the end are removed again. Raises UserError
        if there is nothing to go on from, or the folder cannot be had.
        """
        if ranks.rank() > 0:
            yield ranks.from_first(Place(Path(), None))
            return
        snapshot = None if self.run.resume is None else self.find_snapshot()
        own = None if snapshot is None else _run_of(snapshot)
        with self._stack:
            out = self._take(own)
            with writing(out):
                goes_on = out.resolve() == own
                if not goes_on:
                    self._clear(out)
                for part in PARTS:
                    self._make(out / part)
            if snapshot is None and self.run.out is None and (words := self.remark(out)):
                self.tell(words)
            finished = goes_on and (out / "DONE").exists()
            yield ranks.from_first(Place(out, snapshot, finished))

    def _take(self, own: Path | None) -> Path:
        """The folder, made if need be and held; own: that of the run that is gone on with."""
        out, force = self.run.out or own, self.run.force
        if out is None:
            return self._take_next()
        with writing(out):
            self._make(out)
        self._hold(out)
        if out.resolve() != own and (out / PLAN).exists():
            raise UserError(f"{out} holds a grid, whose runs lie in it: give another --out.")
        if out.resolve() != own and not is_abandoned(out):
            if holds_run(out) and not force:
                raise UserError(
                    f"{out} already holds a run; give another --out, --resume auto to go on with "
                    "it, or --force to begin anew."
                )
            check_free(files_of(out), force)
        return out

    def _take_next(self) -> Path:
        """The same of the next free folder below result/."""
        for path in candidates(self.run):
            with writing(ROOT), suppress(FileExistsError, LockedError):
                again = is_abandoned(path)
                self._make(path, new=not again)
                self._hold(path)
                if is_abandoned(path) == again:  # and has not got its snapshot meanwhile
                    return path
        raise AssertionError("the candidates never end")

    def _hold(self, out: Path) -> None:
        """Have the folder, and remove what a killed run may have left there."""
        killed = self._stack.enter_context(locked(out))
        if killed or holds_run(out):
            for folder in (out, *(out / part for part in (*PARTS, FOLDER))):
                remove_torn(folder)

    def _clear(self, out: Path) -> None:
        """Make room: what lies where the run will write is moved aside, if it is worth that."""
        if is_abandoned(out):
            self.tell(f"The run in {out} ended before its first snapshot, and begins anew.")
        there = files_of(out)
        if there and (self.run.force or _was_trained(out)):
            names = (EARLIER if k == 1 else f"{EARLIER}-{k}" for k in count(1))
            aside = next(path for name in names if not (path := out / name).exists())
            aside.mkdir()
            for path in there:
                path.rename(aside / path.name)
            self.tell(f"What was in {out} is in {aside} now.")

    def _make(self, folder: Path, new: bool = False) -> None:
        """Make a folder, removed again if it is empty at the end; FileExistsError if not `new`."""
        for path in reversed([folder, *folder.parents]):
            if not path.exists():
                self._stack.callback(_remove_if_empty, path)
        folder.mkdir(parents=True, exist_ok=not new)


@contextmanager
def recorded(trainer: "Trainer") -> Iterator[None]:
    """Say in the run's STATE that this process trains it, with a sign of life every BEAT seconds,
    and at the end how it ended: what it was stopped by, or the sentence of its error.

    A thread gives the signs, since evaluations, compilers and the data may keep the trainer from
    writing anything for as long as they like.
    """
    path, over = trainer.out / STATE, threading.Event()

    def beat() -> None:
        while not over.wait(BEAT):
            with suppress(OSError):
                os.utime(path)

    note(path, "running", max_iter=trainer.max_iter)
    beats = threading.Thread(target=beat, daemon=True)
    beats.start()
    ended = ("failed", "")
    try:
        yield
        ended = ("done", "") if trainer.stopped == "done" else ("stopped", trainer.stopped)
    except KeyboardInterrupt:
        ended = ("stopped", "interrupted")
        raise
    except Exception as error:
        ended = ("failed", one_line(error, 500) or type(error).__name__)
        raise
    finally:
        over.set()
        beats.join()
        # max_images may have ended it long before
        note(path, *ended, trainer.iteration if ended[0] == "done" else trainer.max_iter)


@contextmanager
def waited_for(out: Path | None) -> Iterator[None]:
    """Say in the STATE of a run that somebody waits for why it could not begin."""
    try:
        yield
    except UserError as error:
        # os.path: of a name that is too long there is no file
        if out is not None and os.path.exists(out / STATE) and read_state(out).name == "waiting":
            note(out / STATE, "failed", one_line(error, 500))
        raise


def note(path: Path, name: str, sentence: str = "", max_iter: int = 0, pid: int = 0) -> None:
    """Write a STATE, by default of this process, unless that cannot be: no run ends by it."""
    process = {"pid": pid or os.getpid(), "host": socket.gethostname()}
    told = {"software": MARK, "state": name, "sentence": sentence, **process, "max_iter": max_iter}
    with suppress(OSError):
        write_text(path, json.dumps(told) + "\n")


def _run_of(snapshot: Path) -> Path | None:
    """The run's folder that a snapshot lies in; None if somebody has put it elsewhere."""
    folder = snapshot.resolve().parent.parent
    return folder if holds_run(folder) else None


def files_of(out: Path) -> list[Path]:
    """What lies where a run writes: its files and folders."""
    paths = [out / name for name in (*FILES, *PARTS, "tensorboard")]
    return [p for p in paths if (any(p.iterdir()) if p.is_dir() else os.path.lexists(p))]


def _was_trained(out: Path) -> bool:
    """Whether a run left a line of its log, or samples of a later iteration than none."""
    log = out / "log.jsonl"
    return any(out.glob("samples/*[1-9]*")) or (log.exists() and log.stat().st_size > 0)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # something is in it, or it is gone
        folder.rmdir()


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Have the folder for this process: whether one that had it was killed. LockedError with the
    process that has it already.

    The system lets go of the lock however its process ends. Where there are no locks (Windows, some
    network file systems), nothing is held.
    """
    path = folder / LOCK
    with writing(folder):
        file = _taken(path)
    with file:
        try:
            with writing(folder):
                killed = file.seek(0, os.SEEK_END) > 0
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
            yield killed
        finally:
            # while the lock is held: afterwards the file may be the next owner's
            with suppress(OSError):
                path.unlink()


def _taken(path: Path) -> FileIO:
    """The file, open and locked."""
    while True:
        file = path.open("ab+", buffering=0)
        try:
            _lock(file)
            if not _replaced(file, path):
                return file
        except (BlockingIOError, PermissionError):
            file.seek(0)
            owner = file.read().decode() or "another process"
            file.close()
            raise LockedError(
                f"{path.parent} is being trained in by {owner}: wait for its end, stop it, or "
                "give another --out."
            ) from None
        file.close()


def _lock(file: FileIO) -> None:
    try:
        import fcntl

        # a record lock, which the processes that read images ahead do not inherit
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise
    except (ImportError, OSError):  # there are no locks
        return


def _replaced(file: FileIO, path: Path) -> bool:
    """Whether the former owner has removed the file since it was opened."""
    try:
        return not os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return True
