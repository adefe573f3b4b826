"""Several algorithms and seeds, one run after the other; what is finished is not trained again."""

import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ganlib.common.errors import StoppedError, UnusableError, UserError
from ganlib.common.io.console import say, stderr_console
from ganlib.config import RunConfig
from ganlib.evaluation.comparison.reading import read_environment
from ganlib.registry import algorithms
from ganlib.runs import folders
from ganlib.runs.resuming import REVISION, NothingToResume, compare_settings
from ganlib.runs.run import fitted, gather, run
from ganlib.runs.settings import Settings, owners, parse_names, part_of, read_config, read_yaml
from ganlib.sampling.model import Model
from ganlib.training.device import devices
from ganlib.training.snapshot import newest_snapshot, peek_snapshot


@dataclass(frozen=True)
class Outcome:
    """What became of one run: its folder, and why it failed or was stopped, if so."""

    settings: Settings
    out: Path | None = None
    error: str = ""

    def __str__(self) -> str:
        return f"{_name(self.settings)}: {self.error or 'done'}"


def plan(names: str, seeds: str | None, values: Mapping[str, Any]) -> list[Settings]:
    """Checked settings of every run, before any of them starts.

    names: algorithms with commas between. seeds: numbers likewise; None for the one seed of
    `values`. values: flags as for runs.run.gather. In `config` what stands under an algorithm's
    name is for this algorithm alone: {"max_iter": 1000, "sngan": {"n_dis": 1}}.
    """
    file = read_config(values)
    _refuse(values, "resume", "a grid resumes by itself")
    _refuse({**file, **values}, "out", "the runs of a grid have folders of their own below result")
    if seeds is not None:
        _refuse(values, "seed", "--seeds has them all")
    chosen = parse_names(names)
    numbers = [{}] if seeds is None else [{"seed": seed} for seed in parse_seeds(seeds)]
    return [
        gather(
            {
                **values,
                "config": _part(file, algorithm, chosen),
                "algorithm": algorithm,
                "resume": "auto",
                **number,
            }
        )
        for algorithm in chosen
        for number in numbers
    ]


def parse_seeds(text: str) -> list[int]:
    """The numbers in "0,1,2", each once."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise UserError(f"--seeds is '{text}'; give whole numbers with commas, such as 0,1,2.")
    return list(dict.fromkeys(map(int, parts)))


def train_grid(planned: Sequence[Settings], console: Console | None = None) -> list[Outcome]:
    """Train one by one. A run that fails stops no other; an interrupt and UnusableError do."""
    console = console or stderr_console()
    outcomes: list[Outcome] = []
    for number, settings in enumerate(planned, 1):
        head = f"[{number}/{len(planned)}] {_name(settings)}"
        if (finished := find_finished(settings)) is not None:
            say(console, f"{head}: finished already, in {finished}", "bold")
            outcomes.append(Outcome(settings, finished))
            continue
        say(console, head, "bold")
        gc.collect()  # an updater lies in cycles of references, and its memory with it
        outcomes.append(outcome := _train(settings, console))
        if outcome.error:
            say(console, str(outcome), "bold")
        if outcome.error and outcome.out is not None:
            break
    return outcomes


def find_finished(settings: Settings) -> Path | None:
    """A run below result with these settings and as long as these that has reached its end."""
    s = settings.run
    place = folders.place_of(s)
    for path in sorted([place / f"seed{s.seed}", *place.glob(f"seed{s.seed}-*")]):
        if (path / "DONE").exists() and (path / "config.yaml").exists():
            old = {**settings.defaults(), **read_yaml(path / "config.yaml")}
            alike = not compare_settings(old, _wanted(settings, path))
            begun = read_environment(path / "environment.json").get(REVISION, 0)
            if alike and begun == len(settings.algorithm.revisions()):
                return path
    return None


def _wanted(settings: Settings, path: Path) -> dict[str, Any]:
    """What the settings come to on the data of a finished run, and on this machine."""
    device = devices.pick_device(settings.run.gpu, settings.run.device)
    try:
        known = peek_snapshot(newest_snapshot(path))
        n = (known.get("data") or {}).get("count", 0)
        settings = fitted(settings, known["spec"].native, n, device)
    except UserError:  # its snapshots were removed
        pass
    flat = settings.flat()
    return {**settings.trajectory(), **{k: flat[k] for k in ("max_iter", "max_images")}}


def _train(settings: Settings, console: Console) -> Outcome:
    started = time.monotonic()
    try:
        out = _run(settings, console).out
    except UnusableError:
        raise
    except (UserError, StoppedError) as error:
        return Outcome(settings, error=str(error))
    hours = (time.monotonic() - started) / 3600
    limit = settings.run.max_hours
    # the trainer keeps up to 2 % of the time for the last snapshot
    in_time = limit is None or hours < 0.98 * limit
    if in_time and not (out / "DONE").exists():
        return Outcome(settings, out, "stopped; the same command goes on from here")
    return Outcome(settings, out)


def _run(settings: Settings, console: Console) -> Model:
    """As `resume: auto`; where all unfinished runs have other settings, a run of its own."""
    try:
        return run(settings, console)
    except NothingToResume:
        again = settings.run.model_copy(update={"resume": None})
        return run(replace(settings, run=again), console)


def _part(file: Mapping[str, Any], algorithm: str, chosen: Sequence[str]) -> dict[str, Any]:
    """What a file says to one algorithm; UserError for what it says to all and only some have."""
    part = part_of(file, algorithm)
    known = {*RunConfig.model_fields, *algorithms[algorithm].config.model_fields}
    for name in file.keys() & part.keys():
        if name not in known and (having := owners(name, chosen)):
            raise UserError(
                f"{algorithm} has no setting '{name}': in the settings file of a grid, write it "
                f"under '{having[0]}:'."
            )
    return part


def _refuse(values: Mapping[str, Any], name: str, reason: str) -> None:
    if values.get(name) is not None:
        raise UserError(f"Leave --{name} out: {reason}.")


def _name(settings: Settings) -> str:
    return f"{settings.run.algorithm}, seed {settings.run.seed}"
