"""Scores of a model, in Python."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganlib.common.data import POINTS, DataSet
from ganlib.common.data.in_memory import GIVEN, as_dataset
from ganlib.common.errors import UserError
from ganlib.common.io.console import stderr_console
from ganlib.common.open_dataset import brought_to, open_dataset
from ganlib.evaluation import Evaluator, Score
from ganlib.evaluation.extractors.base import default_extractor
from ganlib.evaluation.metrics.base import default_metrics, find_metrics
from ganlib.evaluation.metrics.modes import score_points
from ganlib.evaluation.statistics.real import TO_COME
from ganlib.sampling.translation.held_out import give_sources, translates
from ganlib.training.scores.real_images import RealImages
from ganlib.training.scores.scorer import (
    all_scores,
    evaluator_if_any,
    extractor_if_any,
    origin_of,
    progress_bar,
    samples_to_score,
)
from ganlib.training.scores.translations import for_pairs, has_pairs, pairs_of, scored
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
    intra_images: int | None,
) -> Mapping[str, Score]:
    """See Model.evaluate."""
    find_metrics(metrics or ())
    named = dataset is None or isinstance(dataset, str | Path)
    origin = origin_of(updater, seed, truncation, statistics)
    if named:
        root = Path(settings["data_root"]) if settings.get("data_root") else None
        name = None if dataset is None else str(dataset)
        real = RealImages(name, root, back=updater.turned).completed(settings)
        if real.dataset == GIVEN:
            raise UserError("This run was trained on data given in Python: give them, dataset=.")
        if translates(updater) and updater.held_out is None:
            give_sources(updater, settings, name, root)
        points = updater.spec.native == POINTS
        if points and (mixture := open_dataset(real.name, root, "train").mixture) is not None:
            return score_points(updater.sample(n, seed, truncation=truncation), mixture, origin)
    if segmentation and not has_pairs(updater):
        raise UserError(for_pairs("--segmentation"))
    if intra_images is not None and intra_images < 2:
        raise UserError(
            f"intra_images is {intra_images}: a distance takes at least two of a class."
        )
    asked = segmentation or any(x is not None for x in (metrics, extractor, intra_images))
    device = updater.clock.device
    if named:
        wanted = extractor or settings.get("extractor")
        evaluator, references = evaluator_if_any(real, wanted, updater, asked, device=device)
    else:
        evaluator, references = _by_given(updater, settings, dataset, extractor, asked)
    pairs = pairs_of(updater, references, segmentation="--segmentation" if segmentation else None)
    n = scored(updater, n)
    samples = samples_to_score(updater, n, seed, truncation=truncation, statistics=statistics)
    if metrics is None and evaluator is not None:
        labels = TO_COME if updater.config.condition == "labels" else None
        metrics = default_metrics(evaluator.inputs(origin, labels))
    with progress_bar(stderr_console()) as progress:
        how = updater, evaluator, metrics or (), pairs, progress
        return all_scores(samples, n, origin, *how, intra_images).scores


def _by_given(
    updater: Updater, settings: Mapping[str, Any], dataset: Any, extractor: str | None, asked: bool
) -> tuple[Evaluator | None, Mapping[str, DataSet]]:
    """As evaluator_if_any(), of what is no name."""
    data = brought_to(as_dataset(dataset), settings.get("size"), settings.get("crop"))
    real = {"train": data.turned() if updater.turned else data}
    name = extractor or default_extractor(GIVEN)
    network = extractor_if_any(name, updater, asked, device=updater.clock.device)
    return (None if network is None else Evaluator(network, real)), real
