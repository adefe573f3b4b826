"""Everything around the updates of a run."""

from collections.abc import Mapping
from typing import Any

import torch
from rich.console import Console

from ganlib.common.data import DataSet
from ganlib.registry import algorithms, extensions
from ganlib.runs.scoring import best_by, make_evaluator
from ganlib.runs.settings import Settings
from ganlib.training import ranks
from ganlib.training.extensions.announce import Announce
from ganlib.training.extensions.evaluate import Evaluate
from ganlib.training.extensions.finite_guard import FiniteGuard
from ganlib.training.extensions.log_report import LogReport
from ganlib.training.extensions.progress_bar import ProgressBar
from ganlib.training.extensions.sample_grid import SampleGrid
from ganlib.training.extensions.snapshot import Snapshot
from ganlib.training.extensions.unmoved import Unmoved
from ganlib.training.trainer import Extension, every


def list_extensions(
    settings: Settings,
    data: DataSet,
    print_of_data: Mapping[str, Any],
    test: DataSet | None,
    device: torch.device,
    console: Console,
) -> list[Extension]:
    """The extensions, in the order in which they act; of several ranks the first writes, the others
    take part in what needs them all.

    print_of_data: the fingerprint of `data`. test: the test set, if there is one.
    """
    s, flat = settings.run, settings.flat()
    interval = min(s.display_interval, settings.algorithm.max_iter)
    evaluator = make_evaluator(settings, data, test, device, console)
    shared: list[Extension] = [
        FiniteGuard(every(interval)),
        Evaluate(
            every(s.evaluation_interval),
            evaluator,
            test,
            console,
            settings.metrics,
            s.evaluation_images,
            s.seed,
            at_end=settings.evaluates,
        ),
    ]
    if ranks.rank() > 0:
        return shared
    listed: list[Extension] = [
        *shared,
        *(extensions[name](flat) for name in s.extension),
        SampleGrid(every(s.sample_interval), seed=s.seed),
        LogReport(interval),
        Announce(console),
        Unmoved(console, algorithms[s.algorithm].unmoved(settings.algorithm)),
        ProgressBar(console),
        Snapshot(
            every(s.snapshot_interval),
            flat,
            print_of_data,
            s.keep_snapshots,
            best_by(settings, evaluator),
        ),
    ]
    if s.tensorboard:
        from ganlib.training.extensions.tensorboard import (
            TensorBoard,
        )  # a slow import that not everybody wants

        listed.insert(-1, TensorBoard(every(interval)))
    return listed
