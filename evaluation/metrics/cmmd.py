"""The distance of kernel means by a Gaussian kernel: Jayasumana et al. 2024, section 4,
https://arxiv.org/abs/2401.09603, which is the CMMD in CLIP's features.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganlib.evaluation.metrics.base import Column, Context, Metric, Value
from ganlib.evaluation.metrics.formulas import distances
from ganlib.evaluation.statistics.real import Inputs

N = 30_000  # the paper's number of samples, and as many real images at most
SIGMA, SCALE = 10, 1000


def mean_kernel(a: Tensor, b: Tensor) -> float:
    """Of exp(-|x - y|^2 / (2 SIGMA^2)), over all pairs of features x (N, D) and y (M, D)."""
    sums = (torch.exp(-d.square() / (2 * SIGMA**2)).sum() for d in distances(a, b))
    return float(sum(sums)) / (len(a) * len(b))


def columns(inputs: Inputs, n: int) -> list[Column]:
    """See Metric."""
    extractor = inputs.extractor
    name = "CMMD" if extractor.name == "clip" else f"MMD{extractor.suffix}"
    return [Column(name, n, inputs.main, "lower")]


def distance(context: Context) -> Mapping[Column, Value]:
    """See Metric; with the pairs of each image and itself, as in the paper's code, for which few
    images are farther apart than many.
    """
    fake = context.features
    real = context.main.features[:N].to(fake.device)
    own = context.once("mean kernel", lambda: mean_kernel(real, real))
    value = SCALE * (mean_kernel(fake, fake) + own - 2 * mean_kernel(fake, real))
    (column,) = context.columns
    settings = {"compared": len(real), "sigma": SIGMA, "scale": SCALE}
    return {column: Value(value, settings=settings)}


METRIC = Metric(distance, n=N, columns=columns)
