"""What scores the images of a run while it trains."""

import torch
from rich.console import Console

from ganlib.common.data import DataSet
from ganlib.common.errors import UserError, did_you_mean
from ganlib.common.io.console import say
from ganlib.evaluation import Evaluator, Origin
from ganlib.evaluation.comparison.table import Column
from ganlib.evaluation.extractors.base import Options, default_extractor, extractors, make_extractor
from ganlib.evaluation.metrics.base import (
    check_needs,
    columns_of,
    default_metrics,
    find_metrics,
    label,
)
from ganlib.evaluation.metrics.modes import SCORES
from ganlib.evaluation.statistics.real import TO_COME, Inputs
from ganlib.registry import extensions
from ganlib.runs.settings import Settings
from ganlib.training.device import ranks
from ganlib.training.extensions.snapshot import NamedScore, parse
from ganlib.training.scores.predictions import frame_names
from ganlib.training.scores.scorer import check_weights, no_features
from ganlib.training.scores.translations import PairScores, pairs_of, scored
from ganlib.training.trainer import every
from ganlib.training.updater import Updater


def check_names(settings: Settings) -> None:
    """UserError for a metric, an extractor or an extension that there is not, and a best_by that
    cannot be read; nothing is loaded.
    """
    find_metrics(settings.metrics)
    parse(settings.run.best_by)
    if settings.run.extractor is not None:
        extractors.check(settings.run.extractor)
    for name in settings.run.extension:
        extensions.check(name)


def make_evaluator(
    settings: Settings, data: DataSet, test: DataSet | None, device: torch.device, console: Console
) -> Evaluator | None:
    """What scores this run's images; None where it asks for none, where they are points of a known
    mixture or sequences, of which no extractor has features, or where its extractor cannot be had.
    """
    s = settings.run
    if not settings.evaluates or data.mixture is not None:
        return None
    if data.frames > 1:
        if s.metrics is not None or s.extractor is not None:
            raise UserError(no_features(data.frames))
        return None
    references = {"train": data} if test is None else {"train": data, "test": test}
    name = s.extractor or default_extractor(s.dataset)
    options = Options(weights=s.inception_weights)
    check_weights(name, options)
    try:
        with ranks.first_alone():  # it downloads the weights
            evaluator = Evaluator(make_extractor(name, device, options), references)
    except UserError as error:
        if _asked_for_scores(settings):
            raise
        # nobody asked for scores by name, so the lack of a download stops nothing; translations
        # are compared with what belongs to them all the same
        say(console, f"Nothing is scored in features. {error}", "yellow")
        return None
    check_needs(find_metrics(settings.metrics), _inputs(settings, evaluator))
    return evaluator


def make_pairs(settings: Settings, updater: Updater) -> PairScores | None:
    """What scores this run's translations by the images that belong to held-out sources; None where
    there are none, or the run is not evaluated. UserError for a segmentation of what has no maps.
    """
    option = "--segmentation" if settings.run.segmentation else None
    pairs = pairs_of(updater, {"train": updater.data.data}, segmentation=option)
    return pairs if settings.evaluates else None


def metrics_of(settings: Settings, evaluator: Evaluator | None) -> list[str]:
    """What this run's evaluations score: what it asks for, or of a method that is told labels by
    default what its classes and extractor allow of "intra" and "class_accuracy", too.
    """
    if settings.run.metrics is not None or evaluator is None:
        return settings.metrics
    return default_metrics(_inputs(settings, evaluator))


def _inputs(settings: Settings, evaluator: Evaluator) -> Inputs:
    # whose weights they are is not yet known, but that they are a generator's
    labelled = settings.algorithm.condition == "labels"
    return evaluator.inputs(Origin("raw"), TO_COME if labelled else None)


def _asked_for_scores(settings: Settings) -> bool:
    """Whether somebody did: what a run that goes on has by default was not asked for."""
    flat, defaults = settings.flat(), settings.defaults()
    names = ("evaluation_interval", "extractor", "inception_weights")
    return any(flat[name] != defaults[name] for name in names)


def best_by(settings: Settings, updater: Updater, evaluator: Evaluator | None) -> str | None:
    """The score that marks the best snapshot: the one asked for, else the Frechet distance."""
    s = settings.run
    if s.best_by is not None or evaluator is None or "fid" not in settings.metrics:
        return s.best_by
    n = label(scored(updater, s.evaluation_images))
    return f"min:{evaluator.extractor.score_name}{n}-train"


def named_score(
    settings: Settings, updater: Updater, evaluator: Evaluator | None, pairs: PairScores | None
) -> list[NamedScore]:
    """What sees that the run has the score of best_by, if one is asked for; UserError for one that
    no evaluation will give. What extensions of one's own observe may come at any time.
    """
    s = settings.run
    if s.best_by is None or s.extension or settings.extensions:
        return []
    _, name = parse(s.best_by)
    known = _known_names(settings, updater, evaluator, pairs)
    own = settings.evaluates and type(updater).scores is not Updater.scores
    unknown = any(metric.columns is None for metric in find_metrics(settings.metrics).values())
    more = own or (evaluator is not None and unknown)
    if name not in known and not more and Column(name, "", {}).better:
        near = did_you_mean(name, known)
        raise UserError(f"--best-by: no evaluation of this run gives '{name}'.{near}")
    return [NamedScore(every(s.evaluation_interval if more else 1), name, known)]


def _known_names(
    settings: Settings, updater: Updater, evaluator: Evaluator | None, pairs: PairScores | None
) -> list[str]:
    """The scores that evaluations are known to give."""
    if not settings.evaluates:
        return []
    if updater.data.data.mixture is not None:
        return list(SCORES)
    own = [] if pairs is None else [*pairs.names, *frame_names(updater)]
    if evaluator is None:
        return own
    n, metrics = scored(updater, settings.run.evaluation_images), metrics_of(settings, evaluator)
    columns = columns_of(metrics, _inputs(settings, evaluator), n)
    return [*(column.title for column in columns), *own]
