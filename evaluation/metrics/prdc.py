"""Improved precision and recall (Kynkaanniemi et al. 2019, https://arxiv.org/abs/1904.06991),
density and coverage (Naeem et al. 2020, https://arxiv.org/abs/2002.09797).
"""

from collections.abc import Mapping

from ganlib.evaluation.metrics.base import Column, Context, Metric, Value, in_features
from ganlib.evaluation.metrics.formulas import density_coverage, precision_recall

N = 10_000  # samples, and as many real images at most
K_PRECISION, K_DENSITY = 3, 5
NAMES = {
    "precision": K_PRECISION,
    "recall": K_PRECISION,
    "density": K_DENSITY,
    "coverage": K_DENSITY,
}


def shares(context: Context) -> Mapping[Column, Value]:
    """See Metric; none of fewer images than have so many neighbours."""
    fake = context.features
    real = context.main.features[:N].to(fake.device)
    if min(len(fake), len(real)) <= max(NAMES.values()):
        return {}
    both = precision_recall(real, fake, K_PRECISION), density_coverage(real, fake, K_DENSITY)
    values = zip(context.columns, (*both[0], *both[1]), NAMES.values(), strict=True)
    return {c: Value(x, settings={"k": k, "compared": len(real)}) for c, x, k in values}


METRIC = Metric(shares, n=N, columns=in_features(dict.fromkeys(NAMES, "higher")))
