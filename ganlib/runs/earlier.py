"""Runs that are there already: which one is gone on with, and what differs."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ganlib.common.data.fingerprint import changes
from ganlib.common.errors import UserError
from ganlib.runs.folders import REVISION, ROOT, candidates, holds_run, read_settings, snapshots
from ganlib.runs.settings import Settings
from ganlib.training.snapshot import newest_snapshot, peek_snapshot


class NothingToResume(UserError):
    """There are runs, and none to go on with: shorter ones, or of other settings or data."""


def to_resume(settings: Settings, data: Mapping[str, Any]) -> Path | None:
    """The run or the snapshot to go on from, None where a run begins.

    Of `auto`, the newest run with the same settings on the same data that is unfinished or has
    finished at the same length. data: a fingerprint. Raises NothingToResume if such a run has
    finished at another length, or with the differences if every unfinished run has other settings
    or data.
    """
    if settings.run.resume != "auto":
        return None if settings.run.resume is None else Path(settings.run.resume)
    other, longer = "", None
    for run in _started(settings):
        words, finished = _differs(run, settings, data), (run / "DONE").exists()
        length = read_settings(run).get("max_iter")
        if not words and (not finished or length == settings.algorithm.max_iter):
            return run
        if not words:
            longer = longer or run
        elif not finished:
            other = other or words
    if longer is not None:
        raise NothingToResume(
            f"{longer} has finished at its --max-iter: --resume={longer} takes it on to this one."
        )
    if other:
        raise NothingToResume(
            f"No unfinished run has these settings. {other}. Change them, or leave --resume out."
        )
    return None


def remark(settings: Settings, data: Mapping[str, Any], out: Path) -> str:
    """What whoever begins a run in `out`, and may have meant to go on with another one, should know
    of those that are there; "" if there is nothing.
    """
    s = settings.run
    if s.out is not None:
        return ""
    with suppress(UserError):  # of a damaged one, which is in nobody's way
        if s.resume == "auto":
            others = ROOT.glob(f"{s.algorithm}_*/seed{s.seed}")
            for run in [*_started(settings), *_newest_first(others)]:
                if read_settings(run)["algorithm"] == s.algorithm:
                    equal = f"{run} has these settings and data: --resume={run} goes on with it"
                    words = _differs(run, settings, data) or equal
                    return f"There is no run to go on with in {out.parent}. {words}."
        for run in [] if s.resume else _started(settings):
            if not _differs(run, settings, data):
                if (run / "DONE").exists():
                    return f"{run} has finished with these settings; this one repeats it."
                return f"{run} has these settings, unfinished: --resume auto goes on with it."
    return ""


def _differs(run: Path, settings: Settings, data: Mapping[str, Any]) -> str:
    """Why a run is not gone on with, as a sentence without its full stop; "" if it is."""
    old = read_settings(run)
    words = difference(old, peek_snapshot(newest_snapshot(run)), settings, data)
    preset = old.get("preset")
    begun = "" if preset in (None, settings.run.preset) else f", which had --preset {preset},"
    return words and f"{run}{begun} differs: {words}"


def difference(
    old: Mapping[str, Any],
    snapshot: Mapping[str, Any],
    settings: Settings,
    data: Mapping[str, Any],
) -> str:
    """Why a run with the settings `old` is not gone on with from the content of a snapshot, as
    words; "" if it is.

    The same data and sources may have moved. Where no fingerprint was recorded, their names must be
    the same. What a run of an older ganlib had no setting for was done as it is by default.
    """
    wanted, recorded, others = settings.trajectory(), snapshot.get("data"), ""
    if recorded is not None:
        del wanted["dataset"]
        others = changes(recorded, data)
        if not others:  # it says where the same sources lie
            del wanted["source"]
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


def _started(settings: Settings) -> list[Path]:
    """Folders that hold a run with a snapshot, the newest first."""
    if settings.run.out is not None:
        return _newest_first([settings.run.out])
    first = next(candidates(settings))
    return _newest_first([first, *first.parent.glob(f"{first.name}-*")])


def _newest_first(runs: Iterable[Path]) -> list[Path]:
    started = [run for run in runs if holds_run(run) and snapshots(run)]
    return sorted(started, key=lambda run: (run / "config.yaml").stat().st_mtime, reverse=True)
