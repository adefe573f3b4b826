"""Monge Inception Distance: Berthet et al. 2026, https://arxiv.org/abs/2605.06797

A sliced Wasserstein distance, which takes neither Gaussians nor roots of matrices.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganlib.common.seeds import generator
from ganlib.evaluation.metrics.base import Column, Context, Metric, Value, in_features

N = 10_000  # samples, and as many real images at most
DIRECTIONS, SEED = 1000, 0


def mind(fake: Tensor, real: Tensor, directions: int = DIRECTIONS) -> float:
    """3 D times the mean over unit vectors u of the mean over j of (sort(u.x)_j - sort(u.y)_j)^2,
    for features x, y (N, D) each: of isotropic Gaussians three times the Frechet distance.
    """
    d = fake.shape[1]
    u = torch.randn(directions, d, dtype=torch.float64, generator=generator(SEED, "directions"))
    u = (u / u.norm(dim=1, keepdim=True)).to(fake.device)
    x, y = ((u @ features.double().T).sort(1).values for features in (fake, real))
    return 3 * d * float((x - y).square().mean())


def distance(context: Context) -> Mapping[Column, Value]:
    """See Metric; of the larger side as many as the other has, which are in a random order."""
    fake, n = context.features, min(context.n, len(context.main.features))
    order = torch.randperm(len(fake), generator=generator(SEED, "mind", len(fake)))
    fake, real = fake[order[:n].to(fake.device)], context.main.features[:n].to(fake.device)
    settings = {"compared": n, "directions": DIRECTIONS, "direction_seed": SEED}
    (column,) = context.columns
    return {column: Value(mind(fake, real), settings=settings)}


METRIC = Metric(distance, n=N, columns=in_features({"MIND": "lower"}))
