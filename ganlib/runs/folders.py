"""Where runs live on disk, result/<algorithm>_<dataset>/seed<N>[-k], and what lies there."""

import json
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import yaml

from ganlib.common.io.files import MARK, atomic
from ganlib.config import RunConfig
from ganlib.runs.settings import Settings, read_yaml
from ganlib.training.scores.scorer import SCORES, TRIALS
from ganlib.training.snapshot import list_snapshots

ROOT = Path("result")
PARTS = ("snapshots", "samples")
"""Folders in that of a run."""
REVISION = "revision"
"""Under this name a snapshot and environment.json have how many revisions there were."""
HELD_OUT = "held_out.txt"
"""A line for each file that a run does not train on."""
FILES = ("config.yaml", "environment.json", "log.jsonl", SCORES, TRIALS, HELD_OUT, "DONE")


def place_of(run: RunConfig) -> Path:
    """The folder of the runs of this method on these data, each in a folder of its seed."""
    return ROOT / f"{run.algorithm}_{run.query.label}"


def candidates(run: RunConfig) -> Iterator[Path]:
    """Where a run without a folder of its own may go, the first choice first; endless."""
    first = place_of(run) / f"seed{run.seed}"
    return chain([first], (first.with_name(f"{first.name}-{k}") for k in count(2)))


def holds_run(path: Path) -> bool:
    """Whether there is a run, and not somebody's config.yaml alone."""
    others = [path / "environment.json", *snapshots(path)]
    return (path / "config.yaml").is_file() and any(other.exists() for other in others)


def is_abandoned(path: Path) -> bool:
    """Whether a run in this folder ended before its first snapshot, so that another may begin."""
    ended = (path / "DONE").exists() or any(path.glob("snapshots/*.pt"))
    return holds_run(path) and not ended


def snapshots(path: Path) -> list[Path]:
    """Those of the run in this folder, the oldest first."""
    return list_snapshots(path / "snapshots")


def read_settings(run: Path) -> dict[str, Any]:
    """The settings that a run was started with; UserError if its file is damaged."""
    return read_yaml(run / "config.yaml")


def write_start(
    run: Path,
    settings: Settings,
    environment: dict[str, Any],
    iteration: int,
    held_out: Sequence[str] = (),
) -> None:
    """config.yaml, with which --config repeats the run; environment.json, which tells how it was
    begun, by which revision of its recipe, and each time gone on with; and the list of the files
    held out, if there are any.
    """
    (run / "DONE").unlink(missing_ok=True)
    path = run / "environment.json"
    environment = {REVISION: len(settings.algorithm.revisions()), **environment}
    first = _read_environment(path) if iteration else {}
    if first:
        again = {"iteration": iteration, **environment}
        environment = {**first, "continued": [*first.get("continued", []), again]}
    # before the file by which a run is known, and marked: if it is alone, nobody's work is lost
    with atomic(path) as temporary:
        text = json.dumps({"software": MARK, **environment}, indent=2)
        temporary.write_text(text + "\n", "utf-8")
    with atomic(run / "config.yaml") as temporary:
        flat = {**settings.flat(), "resume": None, "force": False}
        temporary.write_text(yaml.safe_dump(flat, sort_keys=False), "utf-8")
    if held_out:
        with atomic(run / HELD_OUT) as temporary:
            temporary.write_text("\n".join([*held_out, ""]), "utf-8", "replace")


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
