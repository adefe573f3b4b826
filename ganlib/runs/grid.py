"""A grid: several algorithms, seeds and values of settings, as runs below one folder, and the plan
of them, a file there, by which they go on as they were begun.
"""

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import BaseModel, Field, ValidationError

from ganlib.common.data import fit_spec
from ganlib.common.errors import UserError
from ganlib.common.io.files import MIB, output, write_text
from ganlib.common.io.memory import GIB, available_memory
from ganlib.config import RunConfig
from ganlib.evaluation.comparison.table import plain
from ganlib.registry import algorithms
from ganlib.runs.folders import ROOT, holds_run, place_of
from ganlib.runs.resuming import compare_settings
from ganlib.runs.run import fitted, gather, open_data
from ganlib.runs.settings import (
    Settings,
    owners,
    parse_names,
    part_of,
    read_config,
    read_yaml,
    resolve,
)
from ganlib.runs.state import State, read_state
from ganlib.runs.sweeps import parse_sweeps, points
from ganlib.training.device import devices, ranks
from ganlib.training.extensions.reports import CENTURY

PLAN = "grid.yaml"
A_JOB = 2 * GIB
"""Of memory, so much is taken for each of several runs on the CPU beside each other."""
COPIES = 3
"""A snapshot has its networks, and two averages of Adam's for each parameter."""
OF_SPEED = ("algorithm", "dataset", "size", "architecture", "width", "batch_size", "n_dis")
"""Runs that share these are taken to be as fast as each other."""
Rates = Mapping[tuple[str, ...], float]
"""Seconds that an iteration takes, by the values of OF_SPEED."""


class Plan(BaseModel):
    """What PLAN holds. runs: by the names of their folders, the settings that are not as they are
    by default. swept: the settings that were given several values.
    """

    threads: int = Field(ge=1)
    swept: list[str]
    runs: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Grid:
    """Runs by the names of their folders in `folder`, each with `threads`, on whose number its last
    bits depend; `jobs` of them at once. nbytes: of the snapshots that are yet to come.
    """

    folder: Path
    runs: Mapping[str, Settings]
    swept: Sequence[str]
    threads: int
    jobs: int
    nbytes: int = 0

    def states(self) -> dict[str, State]:
        """Of each run."""
        return {name: read_state(self.folder / name) for name in self.runs}

    def settings_of(self, name: str) -> dict[str, Any]:
        """What a process is told by --config: the run's own settings and its folder."""
        s = self.runs[name]
        own = {"out": str(self.folder / name), "resume": "auto"}
        return {**_given(s), **own}


def plan(
    names: str,
    seeds: str | None,
    values: Mapping[str, Any],
    sweep: Sequence[str] = (),
    trials: int | None = None,
) -> list[Settings]:
    """Checked settings of every run, before any of them starts.

    names: algorithms with commas between. seeds: numbers likewise; None for the one seed of
    `values`. values: flags as for runs.run.gather. In `config` what stands under an algorithm's
    name is for this algorithm alone: {"max_iter": 1000, "sngan": {"n_dis": 1}}. sweep, trials: see
    sweeps.py.
    """
    file = read_config(values)
    _refuse(values, "resume", "a grid resumes by itself")
    _refuse({**file, **values}, "out", "a grid has it as a flag, and its runs have folders in it")
    _refuse({**file, **values}, "force", "a grid begins anew in another --out")
    if seeds is not None:
        _refuse(values, "seed", "--seeds has them all")
    chosen = parse_names(names)
    sweeps = parse_sweeps(sweep, chosen)
    for name in sweeps:
        _refuse(values, name, "--sweep has its values")
    numbers = [{}] if seeds is None else [{"seed": seed} for seed in parse_seeds(seeds)]
    first = numbers[0].get("seed", values.get("seed", file.get("seed", 0)))
    return [
        gather(
            {
                **values,
                "config": _part(file, algorithm, chosen),
                "algorithm": algorithm,
                "resume": "auto",
                **point,
                **number,
            }
        )
        for algorithm in chosen
        for point in points(sweeps, trials, first, algorithms[algorithm].config)
        for number in numbers
    ]


def parse_seeds(text: str) -> list[int]:
    """The numbers in "0,1,2", each once."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise UserError(f"--seeds is '{text}'; give whole numbers with commas, such as 0,1,2.")
    return list(dict.fromkeys(map(int, parts)))


def open_grid(
    planned: Sequence[Settings], swept: Sequence[str], folder: Path | None, jobs: str | None
) -> Grid:
    """The grid of these runs in a folder, by default the first grid below result that has no other
    ones, with its plan written; one that was begun keeps its threads, and may get further runs.

    jobs: a number, or auto. Raises UserError where the folder holds a grid of other settings, or
    the disk has no room for the snapshots.
    """
    if ranks.launched():
        raise UserError("A grid starts processes of its own: leave torchrun out.")
    weighed = list(_looked_at(planned))
    runs = _named([settings for settings, _ in weighed], swept)
    folder, old = _place(folder, runs)
    threads = None if old is None else old.threads
    n = min(len(runs), _at_once(jobs, planned[0].run, threads))
    waiting = {name for name in runs if not any(folder.glob(f"{name}/snapshots/*.pt"))}
    nbytes = sum(w for name, (_, w) in zip(runs, weighed, strict=True) if name in waiting)
    grid = Grid(folder, runs, swept, threads or _threads(n), n, nbytes)
    if nbytes > (free := _free(folder)):
        raise UserError(
            f"The snapshots of this grid take some {_size(nbytes)}, and {_size(free)} "
            f"are free for {folder}: give --keep-snapshots 1, or an --out elsewhere."
        )
    content = {"threads": grid.threads, "swept": list(swept)}
    content["runs"] = {name: _given(settings) for name, settings in runs.items()}
    with output(folder / PLAN):
        write_text(folder / PLAN, yaml.safe_dump(content, sort_keys=False))
    return grid


def describe(grid: Grid, states: Mapping[str, State], known: Rates) -> str:
    """What is going to be done, and what it takes, as far as that can be known."""
    seconds, s = seconds_left(grid, states, known), "" if grid.threads == 1 else "s"
    time = "The time is told once the runs have logged"
    time = time if seconds is None else f"About {duration(seconds)} to go"
    done = sum(state.name == "done" for state in states.values())
    return (
        f"{len(grid.runs)} runs in {grid.folder}, {grid.jobs} at a time, each with {grid.threads} "
        f"thread{s}; {done} are done. {time}, some {_size(grid.nbytes)} of snapshots to come, "
        f"{_size(_free(grid.folder))} are free."
    )


def duration(seconds: float) -> str:
    """As 12:30:00, with days before it."""
    return str(timedelta(seconds=min(CENTURY, round(seconds))))


def _size(nbytes: int) -> str:
    return f"{nbytes / GIB:,.1f} GiB" if nbytes > GIB else f"{nbytes / MIB:,.0f} MiB"


def seconds_left(grid: Grid, states: Mapping[str, State], known: Rates) -> float | None:
    """Until all have ended, at the rates of their logs, and of runs that are as these; None where
    one is of unknown speed.
    """
    logged = {_kind(grid.runs[name].flat()): s.rate for name, s in states.items() if s.rate}
    rates, seconds = {**known, **logged}, 0.0
    for name, settings in grid.runs.items():
        if states[name].name not in ("done", "failed"):
            rate = states[name].rate or rates.get(_kind(settings.flat()))
            if rate is None:
                return None
            seconds += rate * max(0, settings.algorithm.max_iter - states[name].iteration)
    return seconds / grid.jobs


def on_gpu(run: RunConfig) -> bool:
    """Whether a run will be on one, as far as can be told without taking its memory."""
    return torch.cuda.is_available() and run.gpu != -1 and not (run.device or "").startswith("cpu")


def known_rates(grid: Grid) -> Rates:
    """What single runs of these algorithms on these data took."""
    places = {place_of(settings.run) for settings in grid.runs.values()}
    found = [path for place in places for path in sorted(place.glob("seed*/config.yaml"))]
    rates = ((path, read_state(path.parent).rate) for path in found)
    return {_kind(read_yaml(path)): rate for path, rate in rates if rate}


def _kind(flat: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(flat.get(name)) for name in OF_SPEED)


def _looked_at(planned: Sequence[Settings]) -> Iterator[tuple[Settings, int]]:
    """The settings as they come to on their data, and the bytes of the snapshots of each; UserError
    for data that cannot be had, before anything is trained on others.
    """
    data = cache(lambda query: open_data(found[query])[0])
    found, weights = {settings.run.query: settings for settings in planned}, dict[str, int]()
    for settings in planned:
        images = data(settings.run.query)
        kind = torch.device("cuda" if on_gpu(settings.run) else "cpu")
        settings = fitted(settings, images.shape, len(images), kind)
        spec = fit_spec(images, settings.algorithm.image_size(*images.shape[1:]))
        networks = partial(algorithms[settings.run.algorithm].networks, settings.algorithm, spec)
        if (key := str(networks)) not in weights:  # for all seeds once
            weights[key] = devices.size_of(networks)
        kept = settings.run.keep_snapshots + settings.evaluates  # the best one beside the newest
        yield settings, kept * COPIES * weights[key]


def _named(planned: Sequence[Settings], swept: Sequence[str]) -> dict[str, Settings]:
    """Runs by names that tell them apart; UserError for two that are alike."""
    names = [_name(settings, swept) for settings in planned]
    for name, times in Counter(names).items():
        if times > 1:
            raise UserError(f"The grid has {name} {times} times: give each value once.")
    return dict(zip(names, planned, strict=True))


def _name(settings: Settings, swept: Sequence[str]) -> str:
    """The name of a run's folder; what no folder may be called is left out, and told by a hash."""
    flat = settings.flat()
    words = [f"{name}={plain(flat.get(name))}" for name in swept]
    name = "_".join([settings.run.algorithm, *words, f"seed{settings.run.seed}"])
    short = re.sub(r"[^\w.=-]+", "-", name)[:80]
    return name if short == name else f"{short}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _place(folder: Path | None, runs: Mapping[str, Settings]) -> tuple[Path, Plan | None]:
    """The grid's folder, and the plan of what was begun there."""
    if folder is None:
        places = (ROOT / ("grid" if k == 1 else f"grid-{k}") for k in count(1))
        plans = ((place, _read_plan(place)) for place in places)
        return next((p, old) for p, old in plans if old is None or not _difference(old, runs))
    old = _read_plan(folder)
    if old is not None and (words := _difference(old, runs)):
        raise UserError(f"{folder} holds another grid: {words}. Give another --out.")
    if holds_run(folder):
        raise UserError(f"{folder} holds a run: give another --out for a grid.")
    return folder, old


def _read_plan(folder: Path) -> Plan | None:
    path = folder / PLAN
    if not path.exists():
        return None
    try:
        return Plan(**read_yaml(path))
    except ValidationError:
        raise UserError(
            f"{path} is not as ganlib writes it: repair it, or give another --out."
        ) from None


def _difference(old: Plan, runs: Mapping[str, Settings]) -> str:
    """What runs of an old plan are not as these, as words; "" if all of them are among these."""
    for name, given in old.runs.items():
        if name not in runs:
            return f"{name} is one of its runs, and not of these"
        if words := compare_settings(_identity(resolve(given)), _identity(runs[name])):
            return f"of {name}, {words}"
    return ""


def _identity(settings: Settings) -> dict[str, Any]:
    """What may not be another when a grid goes on: what the numbers depend on, and the length."""
    flat = settings.flat()
    return {**settings.trajectory(), **{name: flat[name] for name in ("max_iter", "max_images")}}


def _given(settings: Settings) -> dict[str, Any]:
    """What is not as it is by default, with what was given although it is."""
    parts = (settings.run, settings.algorithm)
    flat = {
        n: v for part in parts for n, v in part.model_dump(mode="json", exclude_unset=True).items()
    }
    return {name: value for name, value in flat.items() if name not in ("resume", "epochs")}


def _at_once(jobs: str | None, run: RunConfig, threads: int | None) -> int:
    """How many runs there are at a time; UserError for what is no number."""
    if jobs is None:
        return 1
    if jobs != "auto":
        if not jobs.isdecimal() or int(jobs) < 1:
            raise UserError(f"--jobs is '{jobs}'; give a number from 1 on, or auto.")
        return int(jobs)
    if on_gpu(run):
        return torch.cuda.device_count() if run.gpu is None and run.device is None else 1
    return max(1, min(devices.cores() // (threads or 1), int(available_memory() // A_JOB)))


def _threads(jobs: int) -> int:
    """Of each of so many runs at a time, unless the user has said how many."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return max(1, min(torch.get_num_threads(), devices.cores()) // jobs)


def _free(folder: Path) -> int:
    """Bytes on the disk of a folder that need not be there yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


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
        raise UserError(f"Leave --{name.replace('_', '-')} out: {reason}.")
