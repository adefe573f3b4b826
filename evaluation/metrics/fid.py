"""Frechet distance to every split: Heusel et al. 2017, https://arxiv.org/abs/1706.08500, which is
the FID in Inception's features.
"""

import warnings
from collections.abc import Mapping

from torch import Tensor

from ganlib.evaluation.metrics.base import Column, Context, Metric, Value
from ganlib.evaluation.metrics.formulas import frechet_distance, square_root
from ganlib.evaluation.statistics.moments import Moments, exact_device
from ganlib.evaluation.statistics.real import Inputs

COUNTS = {"train": (50_000, 10_000), "test": (10_000, 5_000)}
"""Of how many generated images a Frechet distance to a split is published."""


def counts(split: str, n: int) -> list[int]:
    """The published counts for a split that n images reach; n itself if it is none of the training
    split's, or if none is reached.
    """
    published = COUNTS.get(split, COUNTS["train"])
    reached = [count for count in published if count <= n]
    return reached if n in published or (reached and split == "test") else [n, *reached]


def columns(inputs: Inputs, n: int) -> list[Column]:
    """See Metric."""
    name = inputs.extractor.score_name
    return [Column(name, k, split, "lower") for split in inputs.real for k in counts(split, n)]


def distances(context: Context) -> Mapping[Column, Value]:
    """See Metric."""
    found, extractor = {}, context.inputs.extractor
    for column in context.columns:
        split, fake = str(column.reference), context.moments(column.n)
        real, root = rooted(context, split)
        value = distance_of(fake, real, root)
        # of n vectors n - 1 are free once their mean is known
        few = min(column.n, real.n) <= extractor.n_features
        found[column] = Value(value, rank_deficient=few)
    fewest = min(context.total, *(reference.n for reference in context.references.values()))
    if fewest <= extractor.n_features:
        warnings.warn(
            f"{fewest} images are too few for the {extractor.n_features} features of "
            f"'{extractor.name}': {extractor.score_name} comes out far too large and is marked "
            "rank_deficient.",
            stacklevel=5,
        )
    return found


def rooted(context: Context, split: str) -> tuple[Moments, Tensor]:
    """The moments of real images and the root of their covariance, which is taken once."""
    real = context.references[split].moments
    device = exact_device(context.inputs.extractor.device)
    return real, context.once(f"root {split}", lambda: square_root(real.covariance().to(device)))


def distance_of(fake: Moments, real: Moments, root: Tensor | None = None) -> float:
    """That of the Gaussians with these moments, where those of `fake` are; root: see
    frechet_distance(), of the real ones' covariance.
    """
    where = fake.total.device
    mean, covariance = real.mean().to(where), real.covariance().to(where)
    return frechet_distance(fake.mean(), fake.covariance(), mean, covariance, root)


METRIC = Metric(distances, needs=(), columns=columns, moments=(50_000, 10_000, 5_000))
