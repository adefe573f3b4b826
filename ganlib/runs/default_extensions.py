"""Everything around the updates of a run: its default extensions, and what scores its samples."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from rich.console import Console

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError, did_you_mean
from ganlib.common.io.console import say
from ganlib.config import RunConfig
from ganlib.evaluation import Evaluator, Origin
from ganlib.evaluation.extractors.base import Options, default_extractor, extractors
from ganlib.evaluation.metrics import fid
from ganlib.evaluation.metrics.base import check_needs, default_metrics, find_metrics
from ganlib.evaluation.protocol import better_by_name
from ganlib.evaluation.statistics.real import TO_COME
from ganlib.registry import algorithms, extensions
from ganlib.runs.settings import Settings
from ganlib.training.device import ranks
from ganlib.training.doctor.rules import RULES
from ganlib.training.extensions import reports
from ganlib.training.extensions.checks import Evaluate, FiniteGuard, NamedScore, Unmoved
from ganlib.training.extensions.doctor import Doctor, Examine
from ganlib.training.extensions.posthoc_ema import PostHocEma
from ganlib.training.extensions.sample_grid import SampleGrid
from ganlib.training.scores.drawing import Drawing
from ganlib.training.scores.pairs import pairs_of
from ganlib.training.scores.scorer import Scorer, find_extractor, no_features
from ganlib.training.snapshot import Snapshot, kept, parse
from ganlib.training.trainer import Extension, every
from ganlib.training.updater import Updater

QUICK = "quick"
"""The preset for a CPU."""
LOOKS = 100
"""Iterations at least from one of the doctor's looks to the next."""


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
    scorer = _scorer(settings, updater, test, console)
    drawing = Drawing(s.evaluation_images, s.seed)
    shared: list[Extension] = [
        FiniteGuard(every(interval)),
        Evaluate(
            every(s.evaluation_interval), scorer, drawing, test, console, at_end=settings.evaluates
        ),
    ]
    if ranks.rank() > 0:
        return shared
    best_by = _best_by(settings, updater, scorer, drawing)
    if best_by is None and kept(s.keep_snapshots)[1]:
        raise UserError(
            f"--keep-snapshots={s.keep_snapshots} goes by a score, and this run has none: give "
            "--best-by, or --evaluation-interval."
        )
    config = settings.algorithm
    # where the log has a line, and so seldom that it is 1 % of the work, whatever that is
    seldom = max(LOOKS * (1 if hasattr(updater, "dis") else 2), 8 * LOOKS // config.batch_size)
    looks = every(interval * -(-seldom // max(1, interval)))
    examine = Examine(dataset=s.dataset, test=test, trigger=looks, console=console)
    doctor = Doctor(
        examine=examine,
        trigger=looks,
        settings=config.model_dump(),
        stop_on=s.stop_on,
        rollback=s.on_collapse == "rollback",
    )
    return [
        *shared,
        *(extensions[name](flat) for name in s.extension),
        *settings.extensions,
        *([PostHocEma(s.ema_every)] if s.ema_every else []),
        SampleGrid(every(s.sample_interval), seed=s.seed),
        *([examine] if s.doctor else []),
        reports.LogReport(interval),
        *([doctor] if s.doctor else []),
        reports.Announce(console, _hint(settings, device)),
        Unmoved(console, algorithms[s.algorithm].unmoved(settings.algorithm)),
        *_named_score(settings, updater, scorer, drawing),
        reports.Notebook() if reports.in_notebook() else reports.ProgressBar(console),
        *(extensions[name](flat) for name in s.trackers),  # slow imports that not all want
        Snapshot(
            every(s.snapshot_interval),
            flat,
            print_of_data,
            s.keep_snapshots,
            best_by,
            partial(say, console),
        ),
    ]


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


def check_names(settings: Settings) -> None:
    """UserError for a metric, extractor, extension or best_by that is none; nothing is loaded."""
    s = settings.run
    if s.metrics is not None:
        find_metrics(settings.metrics)
    parse(s.best_by)
    if s.extractor is not None:
        extractors.check(s.extractor)
    for name in s.extension:
        extensions.check(name)
    if s.stop_on or s.on_collapse != "continue":
        _check_findings(s)


def _check_findings(s: RunConfig) -> None:
    known = [rule.name for rule in RULES]
    for name in s.stop_on:
        if name not in known:
            raise UserError(
                f"--stop-on: the doctor knows no '{name}'.{did_you_mean(name, known)} There are: "
                f"{', '.join(known)}."
            )
    if not s.doctor:
        raise UserError("--stop-on and --on-collapse need the doctor: leave --no-doctor out.")


def _scorer(settings: Settings, updater: Updater, test: DataSet | None, console: Console) -> Scorer:
    """What scores a run's samples: of nothing where the run asks for none; in features where they
    are no points of a known mixture, no sequences, and its extractor can be had. UserError for
    metrics or a segmentation that the data do not allow.
    """
    s, data = settings.run, updater.data.data
    option, pairs = "--segmentation" if s.segmentation else None, None
    if settings.algorithm.translates or option is not None:
        pairs = pairs_of(updater, {"train": data}, segmentation=option)
    if not settings.evaluates:
        return Scorer(updater)
    if data.mixture is not None:
        return Scorer(updater, mixture=data.mixture)
    if data.frames > 1:
        if s.metrics is not None or s.extractor is not None:
            raise UserError(no_features(data.frames))
        return Scorer(updater, pairs=pairs)
    device = updater.clock.device
    evaluator = find_evaluator(settings, data, test, device, partial(say, console, style="yellow"))
    if evaluator is None:
        return Scorer(updater, pairs=pairs)
    # whose weights they are is not yet known, but that they are a generator's
    labelled = settings.algorithm.condition == "labels"
    inputs = evaluator.inputs(Origin("raw"), TO_COME if labelled else None)
    check_needs(find_metrics(settings.metrics), inputs)
    metrics = settings.metrics if s.metrics is not None else default_metrics(inputs)
    return Scorer(updater, evaluator, pairs, metrics=metrics)


def find_evaluator(
    settings: Settings,
    data: DataSet,
    test: DataSet | None,
    device: torch.device,
    tell: Callable[[str], object] = warnings.warn,
) -> Evaluator | None:
    """What scores in the features that settings ask for, against these data; see find_extractor().

    What a run that goes on has by default nobody asked for, so the lack of a download stops
    nothing; translations are compared with what belongs to them all the same.
    """
    s, flat, defaults = settings.run, settings.flat(), settings.defaults()
    names = ("evaluation_interval", "evaluation_precision", "extractor", "extractor_weights")
    extractor = find_extractor(
        s.extractor or default_extractor(s.dataset),
        Options(s.extractor_weights, s.evaluation_precision, s.evaluation_channels_last),
        device,
        any(flat[name] != defaults[name] for name in names),
        tell,
    )
    if extractor is None:
        return None
    splits = {"train": data} if test is None else {"train": data, "test": test}
    if (wanted := s.evaluation_reference) is not None:
        splits = {name: images for name, images in splits.items() if name == wanted}
    return Evaluator(extractor, splits, s.evaluation_rounding)


def _best_by(settings: Settings, updater: Updater, scorer: Scorer, drawing: Drawing) -> str | None:
    """The score that marks the best snapshot: the one asked for, else the Frechet distance."""
    wanted, evaluator = settings.run.best_by, scorer.evaluator
    if wanted is not None or evaluator is None or "fid" not in settings.metrics:
        return wanted
    columns = fid.columns(evaluator.inputs(), drawing.count(updater))
    return f"min:{next(c.title for c in columns if c.reference == evaluator.main)}"


def _named_score(
    settings: Settings, updater: Updater, scorer: Scorer, drawing: Drawing
) -> list[NamedScore]:
    """What sees that the run has the score of best_by, if one is asked for; UserError for one that
    no evaluation will give. What extensions of one's own observe may come at any time.
    """
    s = settings.run
    if s.best_by is None or s.extension or settings.extensions:
        return []
    _, name = parse(s.best_by)
    known = scorer.names(drawing) if settings.evaluates else []
    own = settings.evaluates and type(updater).scores is not Updater.scores
    unknown = any(metric.columns is None for metric in find_metrics(settings.metrics).values())
    more = own or (scorer.evaluator is not None and unknown)
    if name not in known and not more and better_by_name(name):
        near = did_you_mean(name, known)
        raise UserError(f"--best-by: no evaluation of this run gives '{name}'.{near}")
    return [NamedScore(every(s.evaluation_interval if more else 1), name, known)]
