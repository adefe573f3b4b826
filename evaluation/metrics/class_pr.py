"""Precision and recall of every class, and their means: those of Kynkaanniemi et al. 2019
(https://arxiv.org/abs/1904.06991) of the samples that were asked for it and its real images.
"""

from collections.abc import Mapping
from statistics import fmean

from ganlib.evaluation.metrics.base import Metric, Seen, Value
from ganlib.evaluation.metrics.by_class import asked, enough, lacks_classes, parts, table
from ganlib.evaluation.metrics.formulas import precision_recall

N = 10_000  # samples, and as many real images at most
K = 3


def class_pr(seen: Seen) -> Mapping[str, Value]:
    classes = parts(seen, N)
    if not enough("class_pr", classes, K + 1):
        return {}
    n_real = [len(part.real) for part in classes]
    found = [precision_recall(part.real, part.fake, K) for part in classes]
    precision, recall = zip(*found, strict=True)
    settings = {**asked(seen), "n_real_per_class": min(n_real), "k": K, "compared": sum(n_real)}
    return {
        name: Value(
            fmean(values),
            reference=seen.main.name,
            settings=settings,
            more=table(classes, values),
        )
        for name, values in (("class-precision", precision), ("class-recall", recall))
    }


METRIC = Metric(class_pr, needs=("features", "labels"), n=N, lacks=lacks_classes)
