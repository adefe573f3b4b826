"""Whether samples copy training images: how near those lie, beside how near unseen real ones do.

As in Meehan, Chaudhuri and Dasgupta 2020, https://arxiv.org/abs/2004.05675.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganlib.evaluation.metrics.base import Column, Context, Metric, Value, in_features
from ganlib.evaluation.metrics.formulas import Nearest, duplicates, nearest
from ganlib.evaluation.protocol import Plain

N = 10_000  # samples, and as many unseen images at most
COLUMNS = in_features({"duplicates": "lower", "nearest-median": "", "nearest-least": ""})


def copies(context: Context) -> Mapping[Column, Value]:
    """See Metric."""
    train = context.main.features.to(context.features.device)
    distance, which = to_training(context, train)
    context.finds["nearest"] = Nearest(distance.cpu(), context.main.which[which.cpu()])
    test = context.references.get("test", context.main)
    unseen = context.once("unseen", lambda: _unseen(train, test.features, test is context.main))
    settings: dict[str, Plain] = {"compared": len(train), "unseen": "each other"}
    if test is not context.main:
        settings |= {"unseen": "test", "n_unseen": len(unseen), "unseen_digest": test.digest}
    values = zip(context.columns, duplicates(distance, unseen), strict=True)
    return {column: Value(value, settings=settings) for column, value in values}


def to_training(context: Context, train: Tensor) -> Nearest:
    """The nearest of the main split's features to those of each sample, looked for once."""
    found: Nearest = context.finds.get("to training") or nearest(context.features, train)
    context.finds["to training"] = found
    return found


def _unseen(train: Tensor, test: Tensor, same: bool) -> Tensor:
    """float64 distances to the nearest training image of real images that are none of them: those
    of the test split, or where there is none, of training images to one another.
    """
    points = (train if same else test.to(train.device))[:N]
    return nearest(points, train, torch.arange(len(points)) if same else None).distance


METRIC = Metric(copies, n=N, columns=COLUMNS)
