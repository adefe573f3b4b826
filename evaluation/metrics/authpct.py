"""AuthPct, how many samples are not too near to a training image: Alaa et al. 2022, section 4.3,
https://arxiv.org/abs/2102.08921

It sees copies alone: samples that resemble no image at all are authentic.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganlib.evaluation.metrics.base import Column, Context, Metric, Value, in_features
from ganlib.evaluation.metrics.duplicates import to_training
from ganlib.evaluation.metrics.formulas import Nearest, nearest

N = 10_000


def authenticity(to_train: Nearest, train: Tensor) -> float:
    """The percentage of samples that lie farther from their nearest training image than that lies
    from another training image, by features of those (M, D).
    """
    found, place = torch.unique(to_train.which, return_inverse=True)
    reach = nearest(train[found], train, own=found).distance
    return 100 * float((reach[place] < to_train.distance).double().mean())


def percentage(context: Context) -> Mapping[Column, Value]:
    """See Metric."""
    train = context.main.features.to(context.features.device)
    value = authenticity(to_training(context, train), train)
    (column,) = context.columns
    return {column: Value(value, settings={"compared": len(train)})}


METRIC = Metric(percentage, n=N, columns=in_features({"AuthPct": "higher"}))
