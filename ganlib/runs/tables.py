"""Tables of published figures: the runs that a file of benchmarks/tables asks for, and the file of
results, in which each run that came to its end is a line of JSON.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import ceil
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

import ganlib
from ganlib.common.errors import UserError, did_you_mean
from ganlib.common.io.cache import locked
from ganlib.common.io.files import as_user_error, output, write_text
from ganlib.common.io.jsonl import read_lines
from ganlib.evaluation.comparison.reading import read_run
from ganlib.evaluation.comparison.table import Column
from ganlib.evaluation.protocol import better_by_name
from ganlib.runs.default_extensions import find_evaluator
from ganlib.runs.grid import identity, open_grid, plan
from ganlib.runs.jobs import run_jobs
from ganlib.runs.plan import make_plan
from ganlib.runs.resuming import compare_settings
from ganlib.runs.run import open_data
from ganlib.runs.settings import Settings, plugin_folders, read_yaml
from ganlib.runs.state import State

HOME = Path(ganlib.__file__).parents[1] / "benchmarks" / "tables"
SCORING = (
    *("epochs", "statistics", "metrics", "extractor", "evaluation_interval", "evaluation_images"),
    *("evaluation_reference", "evaluation_precision", "evaluation_channels_last"),
    "evaluation_rounding",
)
"""Settings on which the scores of a run depend, besides those that its weights do."""
VERSIONS = ("ganlib", "commit", "python", "torch", "torch-fidelity", "numpy")
STRICT = ConfigDict(extra="forbid")


class Row(BaseModel):
    """published: mean and standard deviation, or the mean alone. settings: before the table's.
    search, card: in place of the table's. note: a sentence below the table.
    """

    model_config = STRICT

    published: tuple[float, float] | float | None = None
    settings: dict[str, Any] = {}
    search: dict[str, Any] | None = None
    card: bool | None = None
    note: str = ""


class Table(BaseModel):
    """score: what was published, and what a search goes by; also: further ones to show; first: and
    those of the first seed alone, by name, with the flags of `ganlib evaluate` that give them.
    checkpoints: whether of a run its best evaluation counts, as in what was published. card:
    whether a run takes a GPU. seeds: how many. trials: settings that are tried of each row that has
    a search (see sweeps.py), those given among them. settings: of every run; a `config` among them
    is an example that goes below them, and plugin_dir starts from the table's folder.
    rows: by names without a comma, which parts them in --rows.
    """

    model_config = STRICT

    path: Path
    title: str
    notes: list[str] = []
    score: str
    also: list[str] = []
    first: dict[str, str] = {}
    checkpoints: bool = False
    card: bool = False
    seeds: int = Field(1, ge=1)
    trials: int = Field(1, ge=1)
    settings: dict[str, Any] = {}
    search: dict[str, Any] = {}
    rows: dict[Annotated[str, StringConstraints(pattern="^[^,]+$")], Row] = Field(min_length=1)

    @property
    def results(self) -> Path:
        """The file of them: the checkout's have a folder, others lie beside the table."""
        beside = self.path.with_suffix(".jsonl")
        return HOME.parent / "results" / beside.name if self.path.parent == HOME else beside

    def model_post_init(self, _: Any) -> None:
        """What a row does not say itself it has of the table."""
        for row in self.rows.values():
            row.search = self.search if row.search is None else row.search
            row.card = self.card if row.card is None else row.card

    def tasks(self, row: str, seed: int, trials: int) -> "list[Task]":
        """The runs of the row with this seed: the settings as given, and what is drawn of its
        search. UserError, which names the row, for settings that cannot be.
        """
        own = self.rows[row]
        given = {"algorithm": row, **self._score_wanted(), **self.settings, **own.settings}
        try:
            if (config := given.pop("config", None)) is not None:
                given = {**given, **read_yaml(Path(str(config))), **self.settings, **own.settings}
                del given["config"]
            plugins = plugin_folders(given.get("plugin_dir"))
            given["plugin_dir"] = [self.path.parent / folder for folder in plugins]
            name = str(given.pop("algorithm"))
            planned = plan(name, str(seed), {"config": given})
            if own.search and trials > 1:
                planned += plan(name, str(seed), {"config": given}, own.search, trials - 1)
        except UserError as error:
            raise UserError(f"{self.path}, {row}: {error}") from None
        return [Task(row, trial, settings) for trial, settings in enumerate(planned)]

    def _score_wanted(self) -> dict[str, str]:
        """The setting by which a run that is not to give the score says so before it trains."""
        way = {"lower": "min", "higher": "max"}.get(better_by_name(self.score))
        return {"best_by": f"{way}:{self.score}"} if way and self.score not in self.first else {}

    def values(self, lines: "Iterable[Line]") -> list[float]:
        """The score that counts of each run that has it."""
        of = [line.scores[self.score] for line in lines if self.score in line.scores]
        return [score.best(self.score) if self.checkpoints else score.last for score in of]


@dataclass(frozen=True)
class Task:
    """A run of a row. trial: 0 of the settings as given."""

    row: str
    trial: int
    settings: Settings

    @property
    def name(self) -> str:
        """Of its folder."""
        trial = f"_trial{self.trial}" if self.trial else ""
        return re.sub(r"[^\w.=-]+", "-", f"{self.row}{trial}_seed{self.settings.run.seed}")

    @cached_property
    def key(self) -> dict[str, Any]:
        """The settings on which its scores depend, in plain types."""
        flat = self.settings.flat()
        return {**identity(self.settings), **{name: flat[name] for name in SCORING}}

    def of_seed(self, seed: int) -> "Task":
        """The same with another one."""
        run = self.settings.run.model_copy(update={"seed": seed})
        return replace(self, settings=replace(self.settings, run=run))


class Scored(BaseModel):
    """A score of a run: its values by iteration, all by one protocol."""

    hash: str
    protocol: dict[str, Any]
    values: list[tuple[int, float]] = Field(min_length=1)

    @property
    def last(self) -> float:
        return self.values[-1][1]

    def best(self, name: str) -> float:
        """Of all evaluations, for the score of this name."""
        return min((value for _, value in self.values), key=Column(name, "", {}).badness)


class Line(BaseModel):
    """A run that came to its end. settings: its Task.key. seconds: of its training, without scores,
    by the median rate of its log: of a processor's core, or by the clock on a card.
    """

    model_config = ConfigDict(extra="allow")

    row: str
    settings: dict[str, Any]
    scores: dict[str, Scored]
    seconds: float | None
    processor: str
    threads: int | None
    versions: dict[str, str | None]

    def is_of(self, task: Task) -> bool:
        """Whether it is that run, by whatever settings there were when it was written."""
        if self.row != task.row:
            return False
        new = task.key.keys() - self.settings.keys()
        told = {**(task.settings.defaults() if new else {}), **self.settings}
        return all(told.get(name) == value for name, value in task.key.items())


def table_names() -> list[str]:
    """Those of the checkout."""
    return sorted(path.stem for path in HOME.glob("*.yaml"))


def open_table(name: str) -> Table:
    """The table in a file, or the checkout's of this name. UserError for what is none."""
    places = (Path(name), HOME / f"{name}.yaml")
    if (path := next((path for path in places if path.is_file()), None)) is None:
        raise UserError(f"There is no table '{name}'.{did_you_mean(name, table_names())}")

    def sentence(error: ValidationError) -> str:
        first = error.errors()[0]
        return f"{path} is no table: {'.'.join(map(str, first['loc'][:3]))}: {first['msg']}."

    with as_user_error(sentence, ValidationError):
        return Table(**{**read_yaml(path), "path": path.absolute()})


def read_results(path: Path) -> list[Line]:
    """All lines, [] if there is no file; UserError for one that is damaged."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return []
    return [*_read(path, (found.st_ino, found.st_mtime_ns, found.st_size))]


@lru_cache(maxsize=1)  # each row of a table asks several times
def _read(path: Path, _: tuple[int, ...]) -> list[Line]:
    """The lines of a file that has these marks."""
    found = []
    for number, line in enumerate(read_lines(path, {"settings": lambda x: isinstance(x, dict)}), 1):
        words = f"Line {number} of {path} is no result as ganlib writes it: repair or delete it."
        with as_user_error(lambda _, words=words: words, ValidationError):  # type: ignore[misc]
            found.append(Line(**line))
    return found


def record(path: Path, task: Task, folder: Path) -> None:
    """Write the line of a run that came to its end, in place of an earlier one of it."""
    line = _line(task, folder)
    with locked(path), output(path):  # another command may be at the same table
        lines = [*(old for old in read_results(path) if not old.is_of(task)), line]
        write_text(path, "".join(f"{each.model_dump_json()}\n" for each in lines))


def _line(task: Task, folder: Path) -> Line:
    run = read_run(folder, trials=True)
    assert run is not None
    scores: dict[str, Scored] = {}
    for evaluation in run.evaluations:
        for name, score in evaluation.every():
            values = [(evaluation.iteration, score.value)]
            if name in scores and scores[name].hash == score.hash:
                values = [*scores[name].values, *values]
            protocol = {n: x for n, x in score.protocol.items() if n != "versions"}
            scores[name] = Scored(hash=score.hash, protocol=protocol, values=values)
    rate = run.images_per_cpu_second if run.device == "CPU" else run.images_per_second
    images = run.log[-1].get("images") if run.log else None
    return Line(
        row=task.row,
        settings=task.key,
        scores=scores,
        seconds=round(images / rate, 1) if images and rate else None,
        processor=str(run.environment.get("device")),
        threads=run.environment.get("threads"),
        versions={name: run.environment.get(name) for name in VERSIONS},
    )


@dataclass(frozen=True)
class Asked:
    """What is asked for of a table: of each row its trials with the first seed, and the one of them
    that counts with every seed.
    """

    table: Table
    tried: Mapping[str, Sequence[Task]]
    seeds: Sequence[int]

    def lines(self, tasks: Iterable[Task]) -> list[Line]:
        """The results of these runs, as far as there are any."""
        found = read_results(self.table.results)
        return [line for task in tasks for line in found if line.is_of(task)]

    def left(self, tasks: Iterable[Task]) -> list[Task]:
        """Those without a result."""
        found = read_results(self.table.results)
        return [task for task in tasks if not any(line.is_of(task) for line in found)]

    def counting(self, row: str) -> list[Task]:
        """The runs of each seed whose figures are the row's: by the settings of its best trial, as
        far as is known, else by those given.
        """
        table, trials = self.table, self.tried[row]
        found, badness = self.lines(trials), Column(table.score, "", {}).badness
        scored = [(v, t) for t in trials for v in table.values(x for x in found if x.is_of(t))]
        best = min(scored, key=lambda pair: badness(pair[0]))[1] if scored else trials[0]
        return [best.of_seed(seed) for seed in self.seeds]

    def train(self, tasks: Iterable[Task], folder: Path, jobs: str | None) -> dict[Path, State]:
        """Train those without a result, and write that at the end of each; by its folder what has
        become of it. See run_jobs().
        """
        left = self.left(tasks)
        if not left:
            return {}
        names, by_name = [task.name for task in left], {task.name: task for task in left}
        grid = open_grid([task.settings for task in left], (), folder, jobs, names=names)

        def keep(name: str) -> None:
            record(self.table.results, by_name[name], grid.places[name])

        for name, state in grid.states().items():
            if state.name == "done":  # put there, or by a command that ended before the line
                _check_same(grid.places[name], identity(grid.runs[name]))
                keep(name)
        return {grid.places[name]: state for name, state in run_jobs(grid, done=keep).items()}


def _check_same(folder: Path, wanted: Mapping[str, Any]) -> None:
    """UserError if the run there has other settings than these."""
    found = read_yaml(folder / "config.yaml")
    known = {name: value for name, value in wanted.items() if name in found}
    if words := compare_settings(found, known):
        raise UserError(f"{folder} holds another run: {words}. Move it away.")


def seconds_of(task: Task, rates: dict[str, float]) -> tuple[float, float]:
    """What a run takes on this machine by an estimate: its training, and its scores without the
    statistics of real images, which are found once. rates: seconds that the features of an image
    take, by what finds them; those that are not known yet are measured.
    """
    planned, settings = make_plan(task.settings), task.settings
    n, interval = settings.run.evaluation_images, settings.run.evaluation_interval
    by = repr([settings.run.query, *(task.key[name] for name in SCORING)])
    if settings.evaluates and by not in rates:
        (images, test), rates[by] = open_data(settings), 0.0
        if images.mixture is None and images.frames == 1:
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            if evaluator := find_evaluator(settings, images, test, device):
                count, seconds = evaluator.cost(n)
                rates[by] = seconds / count
    times = ceil(planned.iterations / interval) if settings.evaluates else 0
    return 3600 * planned.hours, times * n * rates.get(by, 0.0)
