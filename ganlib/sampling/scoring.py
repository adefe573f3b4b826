"""Scores of a model, in Python."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganlib.common.data.in_memory import GIVEN, as_dataset
from ganlib.common.errors import UserError
from ganlib.common.io.console import stderr_console
from ganlib.common.open_dataset import brought_to
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
    real = RealImages(back=updater.turned)
    if dataset is None or isinstance(dataset, str | Path):
        name = None if dataset is None else str(dataset)
        root = Path(settings["data_root"]) if settings.get("data_root") else None
        real = replace(real, dataset=name, data_root=root).completed(settings)
        if real.dataset == GIVEN:
            raise UserError("This run was trained on data given in Python: give them, dataset=.")
        if translates(updater) and updater.held_out is None:
            give_sources(updater, settings, name, root)
        extractor = settings.get("extractor")
    else:
        data = brought_to(as_dataset(dataset), settings.get("size"), settings.get("crop"))
        real, extractor = replace(real, given=data), None
    device = updater.clock.device
    scorer = make_scorer(updater, real, criteria, extractor=extractor, device=device)
    with progress_bar(stderr_console()) as progress:
        return scorer(drawing, progress).scores
