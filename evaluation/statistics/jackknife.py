"""How far a score would be another one for other samples: the jackknife of Quenouille and Tukey, of
groups (Efron & Tibshirani 1993, chapter 11).
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ganlib.evaluation.metrics.base import Context, Metric, Values, as_value
from ganlib.evaluation.statistics.moments import moments_of

GROUPS = 10


def jackknife(
    metric: Metric, context: Context, values: Values, features: Tensor
) -> dict[Any, float]:
    """The standard errors over draws of samples of those `values` of context that have no spread
    of their own, by their keys; features: (N, D) of all samples.

    With t_k the score without every GROUPS-th sample from the k-th on, it is the root of
    (GROUPS - 1) / GROUPS times the sum over k of (t_k - mean of t)^2. It takes GROUPS times as
    long as the score itself.
    """
    unknown = [key for key, value in values.items() if as_value(value).std is None]
    found: dict[Any, list[float]] = {key: [] for key in unknown}
    for k in range(GROUPS if unknown else 0):
        context.progress("intervals", k, GROUPS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of fewer samples than there are
            others: Mapping[Any, Any] = metric.compute(_without(k, context, features))
        for key in unknown:
            found[key].append(float(as_value(others[key]).value) if key in others else math.nan)
    return {
        key: math.sqrt((GROUPS - 1) * torch.tensor(of, dtype=torch.float64).var(correction=0))
        for key, of in found.items()
        if not math.isnan(sum(of))
    }


def _without(k: int, context: Context, features: Tensor) -> Context:
    """What the metric would be given if the k-th group had not been drawn."""

    def others(x: Tensor) -> Tensor:
        return x[torch.arange(len(x), device=x.device) % GROUPS != k]

    return replace(
        context,
        n=len(others(features[: context.n])),
        total=len(others(features)),
        rows={need: others(x) for need, x in context.rows.items()},
        moments=lambda n: moments_of([others(features[:n])]),
        finds={},
    )
