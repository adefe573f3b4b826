"""A grid: several algorithms, seeds and values of settings, as runs below one folder, and the plan
of them, a file there, by which they go on as they were begun.
"""

import hashlib
import os
import re
import shutil
from collections import ChainMap, Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from pydantic import BaseModel, Field, ValidationError

from ganlib.common.data import DataSet
from ganlib.common.data.fingerprint import fingerprint
from ganlib.common.errors import UserError, few
from ganlib.common.io.files import as_user_error, output, write_text
from ganlib.common.io.memory import GIB, available_memory
from ganlib.common.query import DataQuery
from ganlib.config import RunConfig
from ganlib.evaluation.protocol import plain
from ganlib.registry import algorithms
from ganlib.runs.folders import PLAN, ROOT, holds_run, locked
from ganlib.runs.plan import make_plan, snapshots_of
from ganlib.runs.resuming import Resumption, compare_settings
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
from ganlib.runs.state import JOB, State, read_state
from ganlib.runs.sweeps import Range, Sweep, parse_sweeps, points
from ganlib.speed.costs import Files, weigh
from ganlib.training.device import devices, ranks
from ganlib.training.extensions.reports import CENTURY

MOST = 2000  # runs of a grid
A_JOB = 2 * GIB
"""Of memory, so much is taken for each of several runs on the CPU beside each other."""


class Plan(BaseModel):
    """What PLAN holds: the threads of each run, on whose number its last bits depend, and the
    settings that were given several values.
    """

    threads: int = Field(ge=1)
    swept: list[str]


@dataclass(frozen=True)
class Grid:
    """Runs by their names, and the folder of each: that of its name in `folder`, unless it was
    begun as a single run. threads: of each; jobs: as many run at once. nbytes: of the snapshots
    that are yet to come. lengths: how many iterations each takes, where that was found.
    """

    folder: Path
    runs: Mapping[str, Settings]
    places: Mapping[str, Path]
    threads: int
    jobs: int
    nbytes: int
    lengths: Mapping[str, int]

    def states(self) -> dict[str, State]:
        """Of each run."""
        return {name: read_state(place) for name, place in self.places.items()}

    def settings_of(self, name: str) -> dict[str, Any]:
        """What a process is told by --config: what was given, and where it goes on."""
        parts = (self.runs[name].run, self.runs[name].algorithm)
        given = ChainMap(*(p.model_dump(mode="json", exclude_unset=True) for p in parts))
        return {**given, "epochs": None, "out": str(self.places[name]), "resume": "auto"}


def plan(
    names: str,
    seeds: str | None,
    values: Mapping[str, Any],
    sweep: Sweep = (),
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
    if trials is not None and (not isinstance(trials, int) or trials < 1):
        raise UserError(f"--trials is {trials!r}; give a whole number from 1 on.")
    several = trials or prod(len(v) for v in sweeps.values() if not isinstance(v, Range))
    if (runs := len(chosen) * len(numbers) * several) > MOST:
        raise UserError(f"The grid has {runs:,} runs: give values for at most {MOST:,}.")
    one = values.get("seed", file.get("seed", 0))
    first = min(number.get("seed", one) for number in numbers)  # in whatever order they are given
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
    planned: Sequence[Settings],
    sweep: Sweep = (),
    folder: Path | None = None,
    jobs: str | None = None,
    threads: int | None = None,
    names: Sequence[str] | None = None,
) -> Grid:
    """The grid of these runs in a folder, and its plan written there. One that was begun keeps its
    threads and its other runs. Without a folder, the first grid below result goes on that has one
    of these, and so does what was begun as a single run.

    sweep: as plan() had it. jobs: a number, or auto. threads: of each run of a new grid, by default
    its share of the cores. names: of the runs, by default of what tells them apart. Raises
    UserError where the folder holds runs of these names with other settings, or is being trained
    in, or the disk has no room for the snapshots.
    """
    if ranks.launched():
        raise UserError("A grid starts processes of its own: leave torchrun out.")
    swept = sorted(parse_sweeps(sweep, [settings.run.algorithm for settings in planned]))
    seen = [*_looked_at(planned)]
    runs = _named([one.settings for one in seen], swept, names)
    adopted = [None if folder else one.begun for one in seen]
    folder, old = _place(folder, runs)
    n = min(len(runs), _at_once(jobs, planned[0].run, old.threads if old else None))
    places = {name: folder / name for name in runs}
    for name, single in zip(runs, adopted, strict=True):
        places[name] = single if single and not holds_run(places[name]) else places[name]
    by_place = zip(places.values(), seen, strict=True)
    nbytes = sum(one.nbytes for at, one in by_place if not any(at.glob("snapshots/*.pt")))
    if nbytes > (free := _free(folder)):
        raise UserError(
            f"The snapshots of this grid take some {nbytes / GIB:,.2f} GiB, and "
            f"{free / GIB:,.2f} GiB are free for {folder}: give --keep-snapshots 1, or an --out "
            "elsewhere."
        )
    old = old or Plan(threads=threads or _threads(n), swept=[])
    content = {"threads": old.threads, "swept": list(dict.fromkeys([*old.swept, *swept]))}
    lengths = {name: one.length for name, one in zip(runs, seen, strict=True) if one.length}
    grid = Grid(folder, runs, places, old.threads, n, nbytes, lengths)
    jobs_of = {folder / name / JOB: grid.settings_of(name) for name in runs}
    with output(folder / PLAN), locked(folder):  # who trains there is told of no others
        for path, told in {**jobs_of, folder / PLAN: content}.items():
            with output(path):
                write_text(path, yaml.safe_dump(told, sort_keys=False))
    return grid


def describe(
    grid: Grid, states: Mapping[str, State], estimates: Mapping[str, float] | None = None
) -> str:
    """What is going to be done, and what it takes, as far as that can be known."""
    seconds = seconds_left(grid, states, estimates)
    time = "The time is told once the runs have logged"
    if seconds is not None:
        time = f"About {duration(seconds)} to go{', by an estimate' if estimates else ''}"
    single = [str(place) for place in grid.places.values() if place.parent != grid.folder]
    begun = f" Begun as single runs: {few(single)}." if single else ""
    return (
        f"Runs in {grid.folder}: {len(grid.runs)}, of which done: "
        f"{sum(state.name == 'done' for state in states.values())}; {grid.jobs} at a time, threads "
        f"of each: {grid.threads}. {time}, some {grid.nbytes / GIB:,.2f} GiB of snapshots to come, "
        f"{_free(grid.folder) / GIB:,.2f} GiB are free.{begun}"
    )


def duration(seconds: float) -> str:
    """As 12:30:00, with days before it."""
    return str(timedelta(seconds=min(CENTURY, round(seconds))))


def estimates(grid: Grid, states: Mapping[str, State]) -> dict[str, float]:
    """Seconds that an iteration takes on this machine, as `ganlib plan` has them, by the algorithms
    of which nothing is logged: of the first run of each that is not done.
    """
    found = {grid.runs[name].run.algorithm: 0.0 for name, s in states.items() if s.rate}
    for name, settings in grid.runs.items():
        if settings.run.algorithm not in found and states[name].name != "done":
            with suppress(Exception):  # no run is kept from its beginning by a plan that fails
                found[settings.run.algorithm] = make_plan(settings).seconds
    return {algorithm: seconds for algorithm, seconds in found.items() if seconds}


def seconds_left(
    grid: Grid, states: Mapping[str, State], estimates: Mapping[str, float] | None = None
) -> float | None:
    """Until all have ended, at the rates of their logs, of another run of the algorithm for those
    that have none, else by estimates; None where there is neither.
    """
    logged = {grid.runs[name].run.algorithm: s.rate for name, s in states.items() if s.rate}
    rates, seconds = {**(estimates or {}), **logged}, 0.0
    for name, settings in grid.runs.items():
        if states[name].name not in ("done", "failed"):
            rate = states[name].rate or rates.get(settings.run.algorithm)
            if rate is None:
                return None
            length = grid.lengths.get(name, settings.algorithm.max_iter)
            seconds += rate * max(0, length - states[name].iteration)
    return seconds / grid.jobs


class _Seen(NamedTuple):
    """Of a run its settings as they come to on the data, the folder below result where it was
    begun, and the bytes of its snapshots and its iterations, 0 where that cannot be told.
    """

    settings: Settings
    begun: Path | None
    nbytes: int
    length: int


def _looked_at(planned: Sequence[Settings]) -> Iterator[_Seen]:
    """All runs. UserError for data that cannot be had, before anything is trained on others; what
    is to be downloaded is, once for all.
    """
    known = dict[DataQuery, tuple[DataSet, Mapping[str, Any]]]()
    weights = dict[str, tuple[Files, int]]()
    for settings in planned:
        if (query := settings.run.query) not in known:
            known[query] = (images := open_data(settings)[0]), fingerprint(images)
        images, data = known[query]
        on_gpu = devices.on_gpu(settings.run.gpu, settings.run.device)
        kind = torch.device("cuda" if on_gpu else "cpu")
        settings, snapshot = fitted(settings, images.shape, len(images), kind), None
        with suppress(UserError):  # there are runs with other settings, which stay
            snapshot = Resumption(settings, data).find()
        s, config = settings.run, settings.algorithm
        key = repr((s.algorithm, config, query, s.max_images))
        if key not in weights:  # for all seeds once
            weights[key] = Files(0, 0), 0
            with suppress(Exception):  # a run that cannot begin says so itself
                weights[key] = weigh(algorithms[s.algorithm], config, s, images)
                if s.max_images is not None:  # what an update takes of them is for it to say
                    weights[key] = weights[key][0], make_plan(settings).iterations
        files, length = weights[key]
        nbytes = snapshots_of(settings, files, length)
        yield _Seen(settings, snapshot and snapshot.parent.parent, nbytes, length)


def _named(
    planned: Sequence[Settings], swept: Sequence[str], names: Sequence[str] | None
) -> dict[str, Settings]:
    """Runs by names that tell them apart; UserError for two that are alike."""
    names = names or [_name(settings, swept) for settings in planned]
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
    for k in count(1) if folder is None else ():
        place = ROOT / ("grid" if k == 1 else f"grid-{k}")
        old = _read_plan(place)
        if old is None or _difference(place, runs) == "":
            return place, old
    assert folder is not None
    if words := _difference(folder, runs):
        raise UserError(f"{folder} holds another grid: {words}. Give another --out.")
    if holds_run(folder):
        raise UserError(f"{folder} holds a run: give another --out for a grid.")
    return folder, _read_plan(folder)


def _read_plan(folder: Path) -> Plan | None:
    path = folder / PLAN
    if not path.exists():
        return None
    with as_user_error(
        lambda _: f"{path} is not as ganlib writes it: repair it, or give another --out.",
        (ValidationError, TypeError),
    ):
        return Plan(**read_yaml(path))


def _difference(folder: Path, runs: Mapping[str, Settings]) -> str | None:
    """What a run of a grid in a folder has not as that of its name here, as words; "" if all that
    it has agree, None if it has none of them.
    """
    words = None
    for name, settings in runs.items():
        if (job := folder / name / JOB).exists():
            words = compare_settings(identity(resolve(read_yaml(job))), identity(settings))
            if words:
                return f"of {name}, {words}"
    return words


def identity(settings: Settings) -> dict[str, Any]:
    """What may not be another when a grid goes on: what the numbers depend on, and the length."""
    flat = settings.flat()
    return {**settings.trajectory(), **{name: flat[name] for name in ("max_iter", "max_images")}}


def _at_once(jobs: str | None, run: RunConfig, threads: int | None) -> int:
    """How many runs there are at a time; UserError for what is no number."""
    if jobs is None:
        return 1
    if jobs != "auto":
        if not jobs.isdecimal() or int(jobs) < 1:
            raise UserError(f"--jobs is '{jobs}'; give a number from 1 on, or auto.")
        return int(jobs)
    if devices.on_gpu(run.gpu, run.device):
        return torch.cuda.device_count() if devices.on_any_gpu(run.gpu, run.device) else 1
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
