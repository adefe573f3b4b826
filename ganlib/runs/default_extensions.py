"""Everything around the updates of a run."""

from collections.abc import Mapping
from typing import Any

import torch
from rich.console import Console

from ganlib.common.data import DataSet
from ganlib.registry import algorithms, extensions
from ganlib.runs.scoring import RunScores
from ganlib.runs.settings import Settings
from ganlib.training.device import ranks
from ganlib.training.extensions.checks import FiniteGuard, Unmoved
from ganlib.training.extensions.display import Announce, Notebook, ProgressBar, in_notebook
from ganlib.training.extensions.evaluate import Evaluate
from ganlib.training.extensions.log_report import LogReport
from ganlib.training.extensions.sample_grid import SampleGrid
from ganlib.training.extensions.snapshot import Snapshot
from ganlib.training.trainer import Extension, every
from ganlib.training.updater import Updater

QUICK = "quick"
"""The preset for a CPU."""


def list_extensions(
    settings: Settings,
    updater: Updater,
    print_of_data: Mapping[str, Any],
    test: DataSet | None,
    device: torch.device,
    console: Console,
) -> list[Extension]:
    """The extensions, in the order in which they act; of several ranks the first writes, the others
    take part in what needs them all.

    print_of_data: the fingerprint of the updater's data. test: the test set, if there is one.
    """
    s, flat = settings.run, settings.flat()
    interval = min(s.display_interval, updater.length())
    scores = RunScores(settings, updater, test, console)
    shared: list[Extension] = [
        FiniteGuard(every(interval)),
        Evaluate(
            every(s.evaluation_interval),
            scores.scorer,
            scores.drawing,
            test,
            console,
            at_end=settings.evaluates,
        ),
    ]
    if ranks.rank() > 0:
        return shared
    listed: list[Extension] = [
        *shared,
        *(extensions[name](flat) for name in s.extension),
        *settings.extensions,
        SampleGrid(every(s.sample_interval), seed=s.seed),
        LogReport(interval),
        Announce(console, _hint(settings, device)),
        Unmoved(console, algorithms[s.algorithm].unmoved(settings.algorithm)),
        *scores.named_score(),
        Notebook() if in_notebook() else ProgressBar(console),
        Snapshot(
            every(s.snapshot_interval),
            flat,
            print_of_data,
            s.keep_snapshots,
            scores.best_by(),
        ),
    ]
    if s.tensorboard:
        listed.insert(-1, extensions["tensorboard"](flat))  # a slow import not all want
    return listed


def _hint(settings: Settings, device: torch.device) -> str:
    """What else there is, for a run that takes too long on a CPU."""
    source = algorithms.check(settings.run.algorithm).source
    quick = source is not None and (source.parent / f"{QUICK}.yaml").is_file()
    if device.type != "cpu" or settings.run.preset or not quick:
        return ""
    return (
        f"That is long: --preset {QUICK} trains smaller networks in minutes, and these are for a "
        "GPU."
    )
