"""Scores of a model, in Python."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganlib.common.console import stderr_console
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.common.given import GIVEN, as_dataset
from ganlib.common.sources import brought_to, open_dataset
from ganlib.evaluation import Evaluator, Origin, Score
from ganlib.evaluation.features import default_extractor, make_extractor
from ganlib.evaluation.metric import default_metrics, find_metrics
from ganlib.evaluation.modes import score_points
from ganlib.evaluation.real import TO_COME
from ganlib.sampling.sources import give_sources, translates
from ganlib.training.frames import frame_scores
from ganlib.training.pairs import PairScores, for_pairs, has_pairs, scored
from ganlib.training.scoring import (
    RealImages,
    featureless_scores,
    make_evaluator,
    no_features,
    open_references,
    origin_of,
    progress_bar,
    samples_to_score,
)
from ganlib.training.updater import Updater


def evaluate(
    updater: Updater,
    settings: Mapping[str, Any],
    n: int,
    metrics: Sequence[str] | None,
    dataset: Any,
    extractor: str | None,
    seed: int,
    truncation: float | None,
    statistics: str | None,
    segmentation: bool,
) -> Mapping[str, Score]:
    """See Model.evaluate."""
    find_metrics(metrics or ())
    if segmentation and not translates(updater):
        raise UserError(for_pairs("--segmentation"))
    if updater.spec.frames > 1 and (metrics is not None or extractor is not None):
        raise UserError(no_features(updater.spec.frames))
    root = Path(settings["data_root"]) if settings.get("data_root") else None
    how = settings.get("size"), settings.get("crop")
    given = dataset is not None and not isinstance(dataset, str | Path)
    name = GIVEN if given else str(dataset or settings["dataset"])
    device, origin = updater.clock.device, origin_of(updater, seed, truncation, statistics)
    if given:
        data = brought_to(as_dataset(dataset), *how)
        data = data.turned() if updater.turned else data
        if updater.spec.frames > 1:
            return _of_sequences(updater, data, n, origin)
        network = make_extractor(extractor or default_extractor(GIVEN), device)
        evaluator = Evaluator(network, {"train": data})
    elif name == GIVEN:
        raise UserError("This run was trained on data given in Python: give them, dataset=.")
    elif (mixture := open_dataset(name, root, "train", *how).mixture) is not None:
        return score_points(updater.sample(n, seed, truncation=truncation), mixture, origin)
    else:
        if translates(updater) and updater.held_out is None:
            give_sources(updater, settings, None if dataset is None else name)
        real = RealImages(name, root, *how, settings.get("source"), back=updater.turned)
        if updater.spec.frames > 1:
            (train,) = open_references(replace(real, reference="train")).values()
            return _of_sequences(updater, train, n, origin)
        evaluator = make_evaluator(real, extractor or settings.get("extractor"), device=device)
    pairs = _pairs(updater, evaluator, segmentation)
    n = scored(updater, n)
    samples = samples_to_score(
        updater, n, seed, truncation=truncation, statistics=statistics, pairs=pairs
    )
    if metrics is None:
        labels = TO_COME if updater.config.condition == "labels" else None
        metrics = default_metrics(evaluator.given(origin, labels))
    with progress_bar(stderr_console()) as progress:
        if pairs is not None:
            pairs.prepare(progress)
        scores = evaluator(samples, metrics, n, origin, progress).scores
        if pairs is None:
            return scores
        scores = pairs.joined(scores, evaluator, metrics, origin, seed, samples, progress)
        return scores | frame_scores(updater, origin, progress)


def _pairs(updater: Updater, evaluator: Evaluator, segmentation: bool) -> PairScores | None:
    """What compares with the images that belong to the sources, None where there are none."""
    if has_pairs(updater):
        lessons = evaluator.real["train"] if segmentation else None
        return PairScores(updater, evaluator.images[evaluator.main], lessons=lessons)
    if segmentation and updater.held_out is not None:
        raise UserError(for_pairs("--segmentation"))
    return None


def _of_sequences(updater: Updater, train: DataSet, n: int, origin: Origin) -> Mapping[str, Score]:
    seed, n = origin.seed or 0, scored(updater, n)
    samples = samples_to_score(
        updater, n, seed, truncation=origin.truncation, statistics=origin.bn_mode
    )
    with progress_bar(stderr_console()) as progress:
        return featureless_scores(updater, train.x, samples, n, origin, seed, progress)
