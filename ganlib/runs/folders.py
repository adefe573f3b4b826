"""Where runs live on disk: result/<algorithm>_<dataset>/seed<N>[-k]."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ganlib.common.errors import UserError
from ganlib.common.files import atomic, remove_torn
from ganlib.common.fingerprint import changes
from ganlib.common.outputs import MARK, check_free, is_ours
from ganlib.common.paths import writing
from ganlib.common.sources import dataset_label
from ganlib.config import RunConfig
from ganlib.runs import lock
from ganlib.runs.settings import Settings, read_yaml
from ganlib.training.scoring import SCORES, TRIALS
from ganlib.training.snapshot import list_snapshots, newest_snapshot, peek_snapshot, snapshot_at

ROOT = Path("result")
PARTS = ("snapshots", "samples")
"""Folders in that of a run."""
REVISION = "revision"
"""Under this name a snapshot and environment.json have how many revisions there were."""
FILES = ("config.yaml", "environment.json", "log.jsonl", SCORES, TRIALS, "DONE")
EARLIER = ".earlier"
"""The folder, in that of a run, of what was there before it; nobody takes it for a run."""


class NothingToResume(UserError):
    """There are runs, and none to go on with: finished ones, or of other settings or data."""


class Place(NamedTuple):
    """A run's folder, and the snapshot to go on from; None for a start."""

    out: Path
    snapshot: Path | None


@contextmanager
def held(
    settings: Settings, data: Mapping[str, Any], tell: Callable[[str], None]
) -> Iterator[Place]:
    """The place of a run on data of this fingerprint, for this process alone.

    Folders that are made for it and still empty at the end are removed again. Raises UserError if
    there is nothing to go on from, or the folder cannot be had.
    """
    found = _to_resume(settings, data)
    snapshot = None if found is None else snapshot_at(found)
    own = None if snapshot is None else _run_of(snapshot)
    with ExitStack() as stack:
        out = _take_folder(settings, own, stack)
        with writing(out):
            if out.resolve() == own:
                _remove_torn(out)
            else:
                _clear(out, settings.run.force, tell)
            for part in PARTS:
                _make(out / part, stack)
        yield Place(out, snapshot)


def _to_resume(settings: Settings, data: Mapping[str, Any]) -> Path | None:
    """The run or the snapshot to go on from."""
    if settings.run.resume == "auto":
        return find_unfinished(settings, data)
    return None if settings.run.resume is None else Path(settings.run.resume)


def _run_of(snapshot: Path) -> Path | None:
    """The run's folder that a snapshot lies in; None if somebody has put it elsewhere."""
    folder = snapshot.resolve().parent.parent
    return folder if _holds_run(folder) else None


def _take_folder(settings: Settings, own: Path | None, stack: ExitStack) -> Path:
    """The run's folder, made if need be and held until `stack` is left; own: that of the run that
    is gone on with.
    """
    out = settings.run.out or own
    if out is None:
        return _take_next(settings, stack)
    with writing(out):
        _make(out, stack)
    stack.enter_context(lock.held(out))
    if out.resolve() != own and not _is_abandoned(out):
        if _holds_run(out) and not settings.run.force:
            raise UserError(
                f"{out} already holds a run; give another --out, --resume auto to go on with it, "
                "or --force to begin anew."
            )
        check_free(_there(out), settings.run.force)
    return out


def _take_next(settings: Settings, stack: ExitStack) -> Path:
    """The same of the next free folder below result/."""
    for path in _candidates(settings):
        with writing(ROOT), suppress(FileExistsError, lock.HeldError):
            again = _is_abandoned(path)
            _make(path, stack, new=not again)
            stack.enter_context(lock.held(path))
            if _is_abandoned(path) == again:  # and has not got its snapshot meanwhile
                return path
    raise AssertionError("the candidates never end")


def _there(out: Path) -> list[Path]:
    """What lies where a run writes."""
    paths = [out / name for name in (*FILES, *PARTS, "tensorboard")]
    return [path for path in paths if os.path.lexists(path) and not _is_empty(path)]


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _remove_torn(out: Path) -> None:
    for folder in (out, *(out / part for part in PARTS)):
        remove_torn(folder)


def _clear(out: Path, force: bool, tell: Callable[[str], None]) -> None:
    """Make room for a run: what lies where it will write is moved aside, unless nothing of it is
    worth that.
    """
    if _is_abandoned(out):
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


def _is_abandoned(path: Path) -> bool:
    """Whether a run in this folder ended before its first snapshot, so that another may begin."""
    ended = (path / "DONE").exists() or any(path.glob("snapshots/*.pt"))
    return _holds_run(path) and not ended


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # something is in it, or it is gone
        folder.rmdir()


def find_unfinished(settings: Settings, data: Mapping[str, Any]) -> Path | None:
    """The newest unfinished run with the same settings and data, None if there is no run to go on
    with.

    data: a fingerprint. Raises NothingToResume if a run with these settings has finished, or with
    the differences if every unfinished run has other settings or data.
    """
    differences, longer = "", None
    for run in _started(settings):
        finished, old = (run / "DONE").exists(), read_settings(run)
        words = difference(old, peek_snapshot(newest_snapshot(run)), settings, data)
        if not words and not finished:
            return run
        if not words and old.get("max_iter") == settings.algorithm.max_iter:
            raise NothingToResume(
                f"{run} has finished with these settings; leave --resume out to repeat it."
            )
        if not words and finished:
            longer = longer or run
        if not finished:
            differences = differences or f"{run} differs: {words}"
    if longer is not None:
        raise NothingToResume(
            f"{longer} has finished at its --max-iter: --resume {longer} takes it on to this one."
        )
    if differences:
        raise NothingToResume(
            f"No unfinished run has these settings. {differences}. "
            "Change them, or leave --resume out."
        )
    return None


def difference(
    old: Mapping[str, Any],
    snapshot: Mapping[str, Any],
    settings: Settings,
    data: Mapping[str, Any],
) -> str:
    """Why a run with the settings `old` is not gone on with from the content of a snapshot, as
    words; "" if it is.

    The same data may have moved. Where no fingerprint was recorded, their name must be the same.
    What a run of an older ganlib had no setting for was done as it is by default.
    """
    wanted, recorded, others = settings.trajectory(), snapshot.get("data"), ""
    if recorded is not None:
        del wanted["dataset"]
        others = changes(recorded, data)
    words = [compare_settings({**settings.defaults(), **old}, wanted)]
    words += [f"the data differ ({others})" if others else ""]
    if revised := revised_since(snapshot, settings):
        words += [
            f"the recipe was revised since ({revised}): train it anew, or resume with the ganlib "
            "that wrote it; its samples and scores are as they were"
        ]
    return ", ".join(filter(None, words))


def revised_since(snapshot: Mapping[str, Any], settings: Settings) -> str:
    """What these settings train otherwise than a snapshot was trained, as words; "" if nothing."""
    seen, revisions = snapshot["updater"].get(REVISION, 0), settings.algorithm.revisions()
    newer = ["it is of a newer ganlib"] if seen > len(revisions) else []
    return ", ".join([*revisions[seen:], *newer])


def compare_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The settings of `new` that are not the same in `old`, as words; "" if none."""
    missing = object()
    different = [name for name in new if old.get(name, missing) != new[name]]
    return ", ".join(f"{name} was {old.get(name)!r} and is now {new[name]!r}" for name in different)


def read_settings(run: Path) -> dict[str, Any]:
    """The settings that a run was started with; UserError if its file is damaged."""
    return read_yaml(run / "config.yaml")


def write_start(run: Path, settings: Settings, environment: dict[str, Any], iteration: int) -> None:
    """config.yaml, with which --config repeats the run, and environment.json beside it, which keeps
    how the run was begun, by which revision of its recipe, and each time gone on with.
    """
    (run / "DONE").unlink(missing_ok=True)
    with atomic(run / "config.yaml") as temporary:
        flat = {**settings.flat(), "resume": None, "force": False}
        temporary.write_text(f"# {MARK}\n{yaml.safe_dump(flat, sort_keys=False)}", "utf-8")
    path = run / "environment.json"
    environment = {REVISION: len(settings.algorithm.revisions()), **environment}
    first = _read_environment(path) if iteration else {}
    if first:
        again = {"iteration": iteration, **environment}
        environment = {**first, "continued": [*first.get("continued", []), again]}
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(environment, indent=2) + "\n", "utf-8")


def is_of_this_revision(run: Path, settings: Settings) -> bool:
    """Whether a run was begun by the revision of these settings that there is now."""
    begun = _read_environment(run / "environment.json").get(REVISION, 0)
    return bool(begun == len(settings.algorithm.revisions()))


def _read_environment(path: Path) -> dict[str, Any]:
    """{} if the file is missing or damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def place_of(run: RunConfig) -> Path:
    """The folder of the runs of this method on these data, each in a folder of its seed."""
    return ROOT / f"{run.algorithm}_{dataset_label(run.dataset, run.source)}"


def _candidates(settings: Settings) -> Iterator[Path]:
    base = place_of(settings.run)
    yield base / f"seed{settings.run.seed}"
    k = 2
    while True:
        yield base / f"seed{settings.run.seed}-{k}"
        k += 1


def _started(settings: Settings) -> list[Path]:
    """Folders that hold a run with a snapshot, the newest first."""
    if settings.run.out is not None:
        runs = [settings.run.out]
    else:
        first = next(_candidates(settings))
        runs = [first, *first.parent.glob(f"{first.name}-*")]
    started = [run for run in runs if _holds_run(run) and _snapshots(run)]
    return sorted(started, key=lambda run: (run / "config.yaml").stat().st_mtime, reverse=True)


def _holds_run(path: Path) -> bool:
    """Whether there is a run, and not another program's config.yaml; those of before the mark have
    other files beside it.
    """
    config, beside = path / "config.yaml", [path / "environment.json", *_snapshots(path)]
    return is_ours(config) or (config.is_file() and any(other.exists() for other in beside))


def _snapshots(path: Path) -> list[Path]:
    return list_snapshots(path / "snapshots")
