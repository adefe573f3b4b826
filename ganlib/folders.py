"""Where runs live on disk: result/<algorithm>_<dataset>/seed<N>[-k]."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.files import atomic
from common.sources import dataset_label
from ganlib.settings import Settings
from ganlib.snapshot import list_snapshots

ROOT = Path("result")


def new_folder(settings: Settings) -> Path:
    """Make the run's folder: the one asked for, or the next free one below result/.

    A run that was killed before its first snapshot leaves its folder to `resume: auto`.
    """
    auto = settings.run.resume == "auto"
    if settings.run.out is not None:
        if _holds_run(settings.run.out) and not (auto and not _snapshots(settings.run.out)):
            raise UserError(f"{settings.run.out} already holds a run; give another --out.")
        settings.run.out.mkdir(parents=True, exist_ok=True)
        return settings.run.out
    for path in _candidates(settings):
        if auto and _holds_run(path) and not _snapshots(path):
            return path
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            continue
    raise AssertionError("the candidates never end")


def find_unfinished(settings: Settings) -> Path | None:
    """The newest unfinished run with the same settings, None if there is no run to go on with.

    Raises UserError if a run with these settings has finished, or with the differences if every
    unfinished run has other settings.
    """
    wanted = settings.trajectory()
    differences = ""
    for run in _started(settings):
        difference = compare_settings(read_settings(run), wanted)
        finished = (run / "DONE").exists()
        if not difference and not finished:
            return run
        if not difference and read_settings(run).get("max_iter") == settings.algorithm.max_iter:
            raise UserError(
                f"{run} has finished with these settings; leave --resume out to repeat it."
            )
        if not finished:
            differences = differences or f"{run} differs: {difference}"
    if differences:
        raise UserError(
            f"No unfinished run has these settings. {differences}. "
            "Change them, or leave --resume out."
        )
    return None


def compare_settings(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The settings of `new` that are not the same in `old`, as words; "" if none."""
    missing = object()
    different = [name for name in new if old.get(name, missing) != new[name]]
    return ", ".join(f"{name} was {old.get(name)!r} and is now {new[name]!r}" for name in different)


def read_settings(run: Path) -> dict[str, Any]:
    """The settings that a run was started with."""
    settings: dict[str, Any] = yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    return settings


def write_settings(run: Path, settings: Settings, environment: dict[str, Any]) -> None:
    """config.yaml, with which --config repeats the run, and environment.json beside it."""
    with atomic(run / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(settings.flat(), sort_keys=False), "utf-8")
    with atomic(run / "environment.json") as temporary:
        temporary.write_text(json.dumps(environment, indent=2) + "\n", "utf-8")


def _candidates(settings: Settings) -> Iterator[Path]:
    base = ROOT / f"{settings.run.algorithm}_{dataset_label(settings.run.dataset)}"
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
    return (path / "config.yaml").exists()


def _snapshots(path: Path) -> list[Path]:
    return list_snapshots(path / "snapshots")
