"""Precision and recall of every class, and their means: those of Kynkaanniemi et al. 2019
(https://arxiv.org/abs/1904.06991) of the samples that were asked for it and its real images.
"""

from collections.abc import Mapping
from statistics import fmean

from ganlib.evaluation.metrics.base import Column, Context, Metric, Value, in_features
from ganlib.evaluation.metrics.by_class import enough, label_settings, lacks_classes, parts, table
from ganlib.evaluation.metrics.formulas import precision_recall

N = 10_000  # samples, and as many real images at most
K = 3


def class_pr(context: Context) -> Mapping[Column, Value]:
    """See Metric; none, with a warning, where a class has too few images."""
    classes = parts(context, N)
    if not enough("class_pr", classes, K + 1):
        return {}
    n_real = [len(part.real) for part in classes]
    found = [precision_recall(part.real, part.fake, K) for part in classes]
    own = {"n_real_per_class": min(n_real), "k": K, "compared": sum(n_real)}
    settings = {**label_settings(context), **own}
    return {
        column: Value(fmean(values), settings=settings, more=table(classes, values))
        for column, values in zip(context.columns, zip(*found, strict=True), strict=True)
    }


COLUMNS = in_features({"class-precision": "higher", "class-recall": "higher"})
METRIC = Metric(class_pr, ("features", "labels"), N, lacks_classes, COLUMNS)
