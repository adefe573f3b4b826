"""Scores of a model, in Python."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganlib.common.data.in_memory import GIVEN, as_dataset
from ganlib.common.errors import UserError
from ganlib.common.io.console import stderr_console
from ganlib.common.query import DataQuery
from ganlib.evaluation import Score
from ganlib.evaluation.metrics.base import find_metrics
from ganlib.sampling.translation.held_out import give_sources, translates
from ganlib.training.scores.drawing import Drawing
from ganlib.training.scores.real_images import RealImages
from ganlib.training.scores.scorer import Criteria, make_scorer, progress_bar
from ganlib.training.updater import Updater


def evaluate(
    updater: Updater,
    settings: Mapping[str, Any],
    dataset: Any,
    drawing: Drawing,
    criteria: Criteria,
) -> Mapping[str, Score]:
    """See Model.evaluate."""
    find_metrics(criteria.metrics or ())
    if criteria.intra_images is not None and criteria.intra_images < 2:
        raise UserError(
            f"intra_images is {criteria.intra_images}: a distance takes at least two of a class."
        )
    run = DataQuery.of_run(settings)
    if dataset is None or isinstance(dataset, str | Path):
        name = None if dataset is None else str(dataset)
        query = RealImages(name, run.data_root, back=updater.turned)
        real = query.completed(run)
        if real.dataset == GIVEN:
            raise UserError("This run was trained on data given in Python: give them, dataset=.")
        if translates(updater) and updater.held_out is None:
            give_sources(updater, settings, query)
        extractor = settings.get("extractor")
    else:
        data, extractor = as_dataset(dataset), None
        real = RealImages(size=run.size, crop=run.crop, memory=data, back=updater.turned)
    device = updater.clock.device
    scorer = make_scorer(updater, real, criteria, extractor=extractor, device=device)
    with progress_bar(stderr_console()) as progress:
        return scorer(drawing, progress).scores
