"""Scores as functions of features: nothing here knows of images, networks or files.

Features are (N, D) float tensors on any one device; the arithmetic is float64 throughout.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

ROWS = 1000  # of a distance matrix at once


class Nearest(NamedTuple):
    """distance: float64 (N,) to the nearest neighbour. which: int64 (N,), the number of it."""

    distance: Tensor
    which: Tensor


def inception_score(logits: Tensor, splits: int) -> tuple[float, float]:
    """exp(mean KL(p(y|x) || p(y))) of contiguous splits (Salimans et al., 2016): its mean and
    population standard deviation.
    """
    n = len(logits)
    scores = [_exp_mean_kl(logits[i * n // splits : (i + 1) * n // splits]) for i in range(splits)]
    return float(np.mean(scores)), float(np.std(scores))


def _exp_mean_kl(logits: Tensor) -> float:
    log_p = logits.double().log_softmax(1)
    log_q = log_p.logsumexp(0) - np.log(len(log_p))
    return float((log_p.exp() * (log_p - log_q)).sum(1).mean().exp())


def frechet_distance(
    mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor, root_b: Tensor | None = None
) -> float:
    """|mean_a - mean_b|^2 + tr(cov_a + cov_b - 2 sqrt(cov_a cov_b)) (Heusel et al., 2017).

    Means (D,), covariances (D, D), float64. The root's trace is taken as that of
    sqrt(sqrt(cov_b) cov_a sqrt(cov_b)): symmetric, so real and the same on every machine. root_b:
    sqrt(cov_b), two thirds of the work, where it is known.
    """
    root = square_root(cov_b) if root_b is None else root_b
    product = root @ cov_a @ root
    trace = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    squared = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * trace
    return max(0.0, float(squared))


def square_root(covariance: Tensor) -> Tensor:
    """The symmetric root (D, D) of a covariance (D, D), float64."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return root


def kid(
    fake: Tensor, real: Tensor, subsets: int, subset_size: int, seed: int
) -> tuple[float, float]:
    """Unbiased MMD^2 with the kernel (x.y / D + 1)^3 (Binkowski et al., 2018), over subsets: its
    mean and population standard deviation.

    The subsets are those that torch-fidelity draws with the same seed.
    """
    fake, real = fake.double(), real.double()
    random = np.random.RandomState(seed)
    scores = []
    for _ in range(subsets):
        a, b = (
            x[torch.from_numpy(random.choice(len(x), subset_size, replace=False)).to(x.device)]
            for x in (fake, real)
        )
        scores.append(_mmd2(a, b))
    scores = torch.stack(scores).tolist()
    return float(np.mean(scores)), float(np.std(scores))


def _mmd2(a: Tensor, b: Tensor) -> Tensor:
    n = len(a)
    within = sum(
        _kernel(x, x).sum() - ((x.square().sum(1) / x.shape[1] + 1) ** 3).sum() for x in (a, b)
    )
    return within / (n * (n - 1)) - 2 * _kernel(a, b).mean()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    k = torch.addmm(a.new_ones(()), a, b.T, alpha=1 / a.shape[1])
    return (k * k).mul_(k)  # in place: fresh memory for every step takes four times as long


def precision_recall(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al., 2019).

    Precision: the share of fake features that lie in the ball of some real one, which reaches its
    k-th neighbour. Recall: the same with the parts exchanged. More than k features are needed.
    """
    return _covered(fake, real, k), _covered(real, fake, k)


def _covered(points: Tensor, centres: Tensor, k: int) -> float:
    centres = centres.double()
    radii = _radii(centres, k)
    inside = [(d <= radii).any(1) for d in distances(points, centres)]
    return float(torch.cat(inside).double().mean())


def density_coverage(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    """Density and coverage (Naeem et al., 2020).

    Density: in how many real balls a fake feature lies, over k; may exceed 1. Coverage: the share
    of real balls with a fake feature inside. More than k features are needed.
    """
    real, fake = real.double(), fake.double()
    radii = _radii(real, k)[:, None]
    inside, covered = 0, 0
    for block, reach in zip(distances(real, fake), torch.split(radii, ROWS), strict=True):
        within = block < reach
        inside += int(within.sum())
        covered += int(within.any(1).sum())
    return inside / (k * len(fake)), covered / len(real)


def _radii(x: Tensor, k: int) -> Tensor:
    """The distance (N,) from each row to its k-th nearest other row."""
    # the nearest row of all is the row itself
    parts = [d.topk(k + 1, dim=1, largest=False).values[:, -1] for d in distances(x, x)]
    return torch.cat(parts)


def distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Blocks (ROWS, M) of the matrix of distances from a (N, D) to b (M, D), float64."""
    b = b.double()
    for rows in torch.split(a, ROWS):
        yield torch.cdist(rows.double(), b, compute_mode="use_mm_for_euclid_dist")


def nearest(points: Tensor, others: Tensor, own: Tensor | None = None) -> Nearest:
    """The nearest of `others` (M, D) to each of `points` (N, D).

    own: int64 (N,), the points' own numbers among the others, where they are some of them: none is
    a neighbour of itself.
    """
    half = others.square().sum(1) / 2
    indices = []
    for start, rows in zip(range(0, len(points), ROWS), torch.split(points, ROWS), strict=True):
        # half the squared distance, less what is the same for all of a row
        gap = torch.addmm(half, rows, others.T, alpha=-1)
        if own is not None:
            gap.scatter_(1, own[start : start + len(rows), None].to(gap.device), torch.inf)
        indices.append(gap.argmin(1))
    index = torch.cat(indices)
    # exactly, for what was just found: the difference of large numbers would hide a copy
    distance = (points.double() - others[index].double()).square().sum(1).sqrt()
    return Nearest(distance, index)


def duplicates(samples: Tensor, unseen: Tensor) -> tuple[float, float, float]:
    """Whether samples copy the training images: distances (N,) to the nearest one compared.

    First the share of samples nearer than all but 1 % of the unseen ones; 0.01 is what new images
    give, 1 is copying. Then the median and the least of the samples' distances, over the median of
    the unseen ones'.
    samples: of generated images; unseen: of real images that the generator never saw. As in
    Meehan, Chaudhuri and Dasgupta (2020), a generator that copies is nearer to its training images
    than new real images are.
    """
    # real images that are all in the training set have no distance of their own to measure with
    unit = unseen.median().clamp(min=torch.finfo(unseen.dtype).tiny)
    threshold = unseen.quantile(0.01)
    share = float((samples < threshold).double().mean())
    return share, float(samples.median() / unit), float(samples.min() / unit)
