"""Kernel distance: Binkowski et al. 2018, https://arxiv.org/abs/1801.01401, which is the KID in
Inception's features.
"""

from collections.abc import Mapping

from ganlib.evaluation.metrics.base import Column, Context, Metric, Value
from ganlib.evaluation.metrics.formulas import kid
from ganlib.evaluation.statistics.real import Inputs

N = 10_000  # samples, and as many real images at most
SUBSETS, SUBSET_SIZE, SUBSET_SEED = 100, 1000, 2020


def columns(inputs: Inputs, n: int) -> list[Column]:
    """See Metric."""
    name = "KID" if inputs.extractor.score_name == "FID" else f"KD{inputs.extractor.suffix}"
    return [Column(name, n, inputs.main, "lower")]


def distance(context: Context) -> Mapping[Column, Value]:
    """See Metric."""
    fake, real = context.features, context.main.features[:N]
    size = min(SUBSET_SIZE, len(fake), len(real))
    mean, std = kid(fake, real.to(fake.device), SUBSETS, size, SUBSET_SEED)
    settings = {"subsets": SUBSETS, "subset_size": size, "subset_seed": SUBSET_SEED}
    (column,) = context.columns
    return {column: Value(mean, std, settings={"compared": len(real), **settings})}


METRIC = Metric(distance, n=N, columns=columns)
