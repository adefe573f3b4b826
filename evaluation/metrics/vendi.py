"""Vendi score, how many different images there are in effect: Friedman & Dieng 2023, equation 3,
https://arxiv.org/abs/2210.02410

It sees diversity alone, that of noise too.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganlib.evaluation.metrics.base import Column, Context, Metric, Value, in_features

N = 10_000


def vendi(features: Tensor) -> float:
    """exp(-sum of l log l) over the eigenvalues l of K / N, K the cosines of features (N, D) with
    each other: 1 for images that are all alike, N for such as have nothing in common.
    """
    x = torch.nn.functional.normalize(features.double(), dim=1)
    # X X^T and X^T X have the same eigenvalues but for zeros
    gram = x @ x.T if len(x) < x.shape[1] else x.T @ x
    values = torch.linalg.eigvalsh(gram / len(x)).clamp(min=0)
    return float(torch.special.entr(values).sum().exp())


def score(context: Context) -> Mapping[Column, Value]:
    """See Metric."""
    (column,) = context.columns
    return {column: Value(vendi(context.features), settings={"kernel": "cosine", "order": 1})}


METRIC = Metric(score, n=N, columns=in_features({"Vendi": "higher"}, against=None))
