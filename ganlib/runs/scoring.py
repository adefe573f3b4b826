"""What scores the images of a run while it trains."""

import torch
from rich.console import Console

from ganlib.common.console import say
from ganlib.common.data import DataSet
from ganlib.common.errors import UserError
from ganlib.evaluation import Evaluator
from ganlib.evaluation.features import Options, default_extractor, make_extractor
from ganlib.evaluation.metric import check_needs, find_metrics
from ganlib.evaluation.report import label
from ganlib.runs.settings import Settings
from ganlib.training import ranks
from ganlib.training.scoring import check_weights


def make_evaluator(
    settings: Settings, data: DataSet, test: DataSet | None, device: torch.device, console: Console
) -> Evaluator | None:
    """What scores this run's images; None where it asks for none, where they are points of a known
    mixture, or where its extractor cannot be had.
    """
    s = settings.run
    if not settings.evaluates or data.mixture is not None:
        return None
    references = {"train": data.x} if test is None else {"train": data.x, "test": test.x}
    name = s.extractor or default_extractor(s.dataset)
    options = Options(weights=s.inception_weights)
    check_weights(name, options)
    try:
        with ranks.first_alone():  # it downloads the weights
            evaluator = Evaluator(make_extractor(name, device, options), references)
    except UserError as error:
        if {"evaluation_interval", "extractor", "inception_weights"} & s.model_fields_set:
            raise
        # nobody asked for scores by name, so the lack of a download stops nothing
        say(console, f"This run is not evaluated. {error}", "yellow")
        return None
    labelled = settings.algorithm.condition == "labels"
    check_needs(find_metrics(settings.metrics), evaluator.extractor, labelled)
    return evaluator


def best_by(settings: Settings, evaluator: Evaluator | None) -> str | None:
    """The score that marks the best snapshot: the one asked for, else the Frechet distance."""
    s = settings.run
    if s.best_by is not None or evaluator is None or "fid" not in settings.metrics:
        return s.best_by
    n = label(s.evaluation_images)
    return f"min:{evaluator.extractor.score_name}{n}-train"
