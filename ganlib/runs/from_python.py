"""Training from Python: every setting is a keyword."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganlib.common.data.in_memory import GIVEN, as_dataset
from ganlib.common.errors import UserError
from ganlib.common.io.console import in_python
from ganlib.config import AlgorithmConfig, RunConfig
from ganlib.runs.run import gather, run
from ganlib.runs.state import State
from ganlib.runs.sweeps import Sweep
from ganlib.sampling.model import Model
from ganlib.training.trainer import Extension, Trainer, Trigger, every


@in_python
def train(algorithm: str | None = None, **settings: Any) -> Model:
    """Train as `python train.py` does: train("sngan", max_iter=1000, gpu=-1).

    Every flag is a keyword, an algorithm's own too. Besides them, dataset may be what is in memory:
    a tensor or array of images, a pair of them and their labels, or a torch Dataset. config is a
    YAML file or a mapping. extensions are Extension objects, or functions of the trainer that are
    called after every iteration, or pairs of such a function and a trigger: (f, every(100)).

    Returns the trained model; its files are in `.out`. With resume="auto" a call that is made again
    goes on where it was stopped, and returns the model at once where it had finished. Raises
    UserError where the command line exits with status 2, StoppedError where it does with 1.
    """
    if algorithm is not None:
        settings["algorithm"] = algorithm
    hooks, data = settings.pop("extensions", ()), None
    extensions = tuple(map(as_extension, hooks if isinstance(hooks, list | tuple) else [hooks]))
    resume = settings.get("resume")
    if isinstance(resume, Path | bool):
        settings["resume"] = "auto" if resume is True else str(resume) if resume else None
    if not isinstance(settings.get("dataset"), str | Path | None):
        data = as_dataset(settings["dataset"])
        settings["dataset"] = GIVEN
    return run(replace(gather(settings), data=data, extensions=extensions))


@in_python
def train_grid(
    algorithm: str | Sequence[str],
    *,
    seeds: str | int | Sequence[int] | None = None,
    sweep: Sweep = (),
    trials: int | None = None,
    jobs: str | int | None = None,
    launcher: str | None = None,
    out: str | Path | None = None,
    **settings: Any,
) -> dict[Path, State]:
    """Train a grid as `python train.py` does: train_grid("dcgan,sngan", seeds=[0, 1], jobs=2).

    Every flag is a keyword; sweep may be a dict, {"lam": [1, 10], "adam_alpha": "log:1e-5..1e-2"}.
    Each run is a process of its own, which no object of this one reaches: dataset is a name or a
    path, and `extension` names files. With a launcher they are submitted, and not waited for.

    Returns what has become of each run, by its folder; one that fails stops no other. Made again,
    the call goes on with what is not done. Raises UserError for what keeps it from beginning,
    StoppedError where it was interrupted.
    """
    from ganlib.runs.grid import open_grid, plan
    from ganlib.runs.jobs import run_jobs
    from ganlib.runs.slurm import parse_launcher, submit_grid

    submit = None if launcher is None else parse_launcher(launcher)
    seeds = [seeds] if isinstance(seeds, str | int) else seeds
    numbers = None if seeds is None else ",".join(map(str, seeds))
    names = algorithm if isinstance(algorithm, str) else ",".join(algorithm)
    planned = plan(names, numbers, settings, sweep, trials)
    if submit and jobs in (None, "auto"):
        jobs = len(planned)  # for SLURM to decide
    folder, at_once = None if out is None else Path(out), None if jobs is None else str(jobs)
    grid = open_grid(planned, sweep, folder, at_once, submit and submit.threads)
    states = submit_grid(grid, submit) if submit else run_jobs(grid)
    return {grid.places[name]: state for name, state in states.items()}


class FunctionExtension(Extension):
    """A function of the trainer as an extension of its name."""

    def __init__(self, function: Callable[[Trainer], object], trigger: Trigger) -> None:
        self.function, self.trigger = function, trigger
        self.name = getattr(function, "__name__", type(function).__name__)

    def __call__(self, trainer: Trainer) -> None:
        self.function(trainer)


def as_extension(value: Any) -> Extension:
    """An Extension as it is; of a function one that calls it after every iteration, of a pair
    (function, trigger) when the trigger says so. UserError for anything else.
    """
    if isinstance(value, Extension):
        return value
    function, *triggers = value if isinstance(value, tuple) else (value,)
    if not callable(function) or len(triggers) > 1 or not all(map(callable, triggers)):
        raise UserError(
            f"{value!r} is no extension: give an Extension, a function of the trainer, or a pair "
            "(function, trigger) such as (f, every(100))."
        )
    return FunctionExtension(function, triggers[0] if triggers else every(1))


class _Keywords(inspect.Signature):
    """Every setting, which completion offers; short in help(), whose text lists them."""

    def format(self, **_: Any) -> str:
        """What help() shows from Python 3.13 on."""
        return "(algorithm=None, **settings)"

    def __str__(self) -> str:
        return self.format()


def _signature() -> inspect.Signature:
    fields = {**RunConfig.model_fields, **AlgorithmConfig.model_fields}
    names = dict.fromkeys([*fields, "config", "extensions"])
    del names["algorithm"]
    kinds = inspect.Parameter
    first = kinds("algorithm", kinds.POSITIONAL_OR_KEYWORD, default=None)
    # defaults differ from one algorithm to the next
    others = [kinds(name, kinds.KEYWORD_ONLY, default=...) for name in names]
    return _Keywords([first, *others, kinds("settings", kinds.VAR_KEYWORD)])


def _described(doc: str) -> str:
    """`doc` with a line for each setting."""
    lines = [
        f"    {name}: {' '.join((field.description or '').split())}"
        for config in (RunConfig, AlgorithmConfig)
        for name, field in config.model_fields.items()
    ]
    return doc.rstrip() + "\n\n    Settings of every algorithm:\n\n" + "\n".join(lines) + "\n"


_train: Callable[..., Model] = train
vars(_train)["__signature__"] = _signature()
train.__doc__ = _described(train.__doc__ or "")
